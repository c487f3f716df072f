# The student at half its width on magnetic tiles, without a teacher.
_base_ = [
    "../_base_/models/lwrnet.py",
    "../_base_/datasets/magnetic_tile.py",
    "../_base_/schedules/schedule_100e.py",
    "../_base_/default_runtime.py",
]
model = dict(backbone=dict(base_channels=32), decode_head=dict(base_channels=32))
