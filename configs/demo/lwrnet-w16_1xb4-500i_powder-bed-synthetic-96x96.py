# The demo's student, without a teacher: a quarter of the released width, small synthetic layers.
_base_ = [
    "../_base_/models/lwrnet.py",
    "../_base_/datasets/powder_bed_synthetic.py",
    "../_base_/losses/powder_bed_synthetic.py",
    "../_base_/schedules/schedule_500i.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(base_channels=16),
    decode_head=dict(base_channels=16, loss_decode=dict(_base_._student_loss, _delete_=True)),
)
