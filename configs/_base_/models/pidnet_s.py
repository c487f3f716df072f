# PIDNet-S as in MMSegmentation, which has it in leaf configs alone; normalised like our nets.
_base_ = ["../data_preprocessor.py"]
_norm = dict(type="BN")
_relu = dict(type="ReLU", inplace=True)
model = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(
        _base_._data_preprocessor, size_divisor=32, test_cfg=dict(size_divisor=32)
    ),
    backbone=dict(
        type="PIDNet",
        in_channels=3,
        channels=32,
        ppm_channels=96,
        num_stem_blocks=2,
        num_branch_blocks=3,
        align_corners=False,
        norm_cfg=_norm,
        act_cfg=_relu,
    ),
    decode_head=dict(
        type="PIDHead",
        in_channels=128,
        channels=128,
        num_classes=6,
        norm_cfg=_norm,
        act_cfg=_relu,
        align_corners=True,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
