# The teacher's network: UNet++ as released (32 channels wide, 9.05 M parameters, deep supervision).
# _base_/models composes it with a data_preprocessor.
_teacher = dict(
    type="EncoderDecoder",
    backbone=dict(type="UNetPlusPlus", base_channels=32, norm_cfg=dict(type="BN")),
    decode_head=dict(
        type="UNetPlusPlusHead",
        base_channels=32,
        deep_supervision=True,
        num_classes=6,
        loss_decode=dict(type="JointCrossEntropyLoss", avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
