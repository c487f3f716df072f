# The demo's teacher.
_base_ = [
    "../_base_/models/unetpp.py",
    "../_base_/datasets/powder_bed_synthetic.py",
    "../_base_/schedules/schedule_100e.py",
    "../_base_/default_runtime.py",
]
model = dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8))
