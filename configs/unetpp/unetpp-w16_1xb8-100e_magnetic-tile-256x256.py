# The teacher at half its width on magnetic tiles: the real-data check that a CPU can carry.
_base_ = [
    "../_base_/models/unetpp.py",
    "../_base_/datasets/magnetic_tile.py",
    "../_base_/schedules/schedule_100e.py",
    "../_base_/default_runtime.py",
]
model = dict(backbone=dict(base_channels=16), decode_head=dict(base_channels=16))
