# The student's network: LWRNet with its decoder, as released (64 channels wide, 3.99 M parameters
# in training, 3.66 M folded). _base_/models composes it with a data_preprocessor.
_student = dict(
    type="FoldableEncoderDecoder",
    backbone=dict(
        type="LWRNet",
        base_channels=64,
        with_1x1=True,
        with_identity=True,
        norm_cfg=dict(type="BN"),
    ),
    decode_head=dict(
        type="LWRHead",
        base_channels=64,
        with_1x1=True,
        with_identity=True,
        norm_cfg=dict(type="BN"),
        num_classes=6,
        loss_decode=dict(type="JointCrossEntropyLoss", avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
