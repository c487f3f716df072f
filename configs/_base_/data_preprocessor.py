# Normalisation with ImageNet's mean and standard deviation in RGB, and padding to a multiple of 16,
# for teacher and student alike.
_data_preprocessor = dict(
    type="SegDataPreProcessor",
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size_divisor=16,
    test_cfg=dict(size_divisor=16),
)
