# The student: LWRNet with its decoder, as released (64 channels wide, 3.99 M parameters in
# training, 3.66 M folded).
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
norm_cfg = dict(type="BN")
model = dict(
    type="FoldableEncoderDecoder",
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type="LWRNet", base_channels=64, with_1x1=True, with_identity=True, norm_cfg=norm_cfg
    ),
    decode_head=dict(
        type="LWRHead",
        base_channels=64,
        with_1x1=True,
        with_identity=True,
        norm_cfg=norm_cfg,
        num_classes=6,
        loss_decode=dict(type="JointCrossEntropyLoss", avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
