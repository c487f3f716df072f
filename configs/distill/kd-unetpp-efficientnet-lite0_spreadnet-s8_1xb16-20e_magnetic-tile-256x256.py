# UNet++ with an encoder that has seen ImageNet teaches the fast net on magnetic tiles, which begins
# as without a teacher. Name the teacher with --cfg-options model.teacher_ckpt=CHECKPOINT.
_base_ = [
    "../_base_/models/kd_unetpp_efficientnet_lite0_spreadnet.py",
    "../_base_/magnetic_tile_20e.py",
]
_shipped = dict(type="Pretrained", checkpoint="lwam_mm::powder-bed-drawn")
_head = dict(loss_decode=_base_.magnetic_tile_loss)
model = dict(architecture=dict(init_cfg=_shipped, decode_head=_head))
