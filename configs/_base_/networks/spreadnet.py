# SpreadNet S8 with its decoder: 0.79 M parameters in training, 0.72 M folded, 6.8 GMAC at 1024 x
# 1024. _base_/models composes it with a data_preprocessor.
_channels = (32, 64, 128)
_spreadnet = dict(
    type="FoldableEncoderDecoder",
    backbone=dict(
        type="SpreadNet",
        unshuffle=4,
        channels=_channels,
        depths=(2, 3, 3),
        strip_length=9,
        norm_cfg=dict(type="BN"),
    ),
    decode_head=dict(
        type="SpreadHead",
        unshuffle=4,
        in_channels=_channels,
        norm_cfg=dict(type="BN"),
        num_classes=6,
        loss_decode=dict(type="JointCrossEntropyLoss", avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
