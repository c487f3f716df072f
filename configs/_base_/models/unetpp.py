# The teacher: UNet++ as released (32 channels wide, 9.05 M parameters, deep supervision).
data_preprocessor = dict(
    type="SegDataPreProcessor",
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size_divisor=16,
    test_cfg=dict(size_divisor=16),
)
model = dict(
    type="EncoderDecoder",
    data_preprocessor=data_preprocessor,
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
