# The student at a quarter of its width on magnetic tiles, without a teacher.
_base_ = [
    "../_base_/models/lwrnet.py",
    "../_base_/datasets/magnetic_tile.py",
    "../_base_/losses/magnetic_tile.py",
    "../_base_/schedules/schedule_8e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(base_channels=16),
    decode_head=dict(
        base_channels=16,
        loss_decode={{_base_.magnetic_tile_loss}},
    ),
)
