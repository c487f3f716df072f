# The narrow teacher teaches the narrow student on magnetic tiles. Name the teacher with
# --cfg-options model.teacher_ckpt=CHECKPOINT.
_base_ = ["../_base_/models/kd_unetpp_lwrnet.py", "../_base_/magnetic_tile_8e.py"]
_head = dict(base_channels=16, loss_decode=_base_.magnetic_tile_loss)
model = dict(
    architecture=dict(backbone=dict(base_channels=16), decode_head=_head),
    teacher=dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8)),
)
