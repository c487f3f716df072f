# U-Net as in MMSegmentation, 8 channels wide, on magnetic tiles: another teacher.
_base_ = ["mmseg::_base_/models/fcn_unet_s5-d16.py", "../_base_/magnetic_tile_8e.py"]
_norm = dict(type="BN")
_head = dict(in_channels=8, channels=8, num_classes=6, norm_cfg=_norm)
model = dict(
    data_preprocessor=dict(size_divisor=16, test_cfg=dict(size_divisor=16)),
    backbone=dict(base_channels=8, norm_cfg=_norm),
    decode_head=dict(_head, loss_decode=_base_.magnetic_tile_loss),
    auxiliary_head=None,
    test_cfg=dict(_delete_=True, mode="whole"),
)
