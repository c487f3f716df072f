# DeepLabV3+ on a ResNet-18 of a quarter of its width, on magnetic tiles: another teacher.
_base_ = ["mmseg::_base_/models/deeplabv3plus_r50-d8.py", "../_base_/magnetic_tile_8e.py"]
_norm = dict(type="BN")
_width = dict(in_channels=128, channels=64, c1_in_channels=16, c1_channels=12)
model = dict(
    data_preprocessor=dict(size_divisor=16, test_cfg=dict(size_divisor=16)),
    pretrained=None,
    backbone=dict(depth=18, base_channels=16, stem_channels=16, norm_cfg=_norm),
    decode_head=dict(_width, num_classes=6, norm_cfg=_norm, loss_decode=_base_.magnetic_tile_loss),
    auxiliary_head=None,
)
