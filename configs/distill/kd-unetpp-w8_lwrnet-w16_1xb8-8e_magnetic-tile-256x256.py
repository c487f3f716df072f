# The narrow teacher teaches the narrow student on magnetic tiles. Give the teacher with
# --cfg-options model.teacher_ckpt=CHECKPOINT.
_base_ = [
    "../_base_/models/kd_unetpp_lwrnet.py",
    "../_base_/datasets/magnetic_tile.py",
    "../_base_/losses/magnetic_tile.py",
    "../_base_/schedules/schedule_8e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    architecture=dict(
        backbone=dict(base_channels=16),
        decode_head=dict(
            base_channels=16,
            loss_decode={{_base_.magnetic_tile_loss}},
        ),
    ),
    teacher=dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8)),
)
