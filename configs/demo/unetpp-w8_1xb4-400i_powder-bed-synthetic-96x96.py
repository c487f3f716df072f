# The demo's teacher: a quarter of the released width, small synthetic layers, minutes on a CPU.
_base_ = [
    "../_base_/models/unetpp.py",
    "../_base_/datasets/powder_bed_synthetic.py",
    "../_base_/losses/powder_bed_synthetic.py",
    "../_base_/schedules/schedule_400i.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(base_channels=8),
    decode_head=dict(base_channels=8, loss_decode=dict(_base_._teacher_loss, _delete_=True)),
)
