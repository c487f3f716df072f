# The demo's distillation. Name the teacher with --cfg-options model.teacher_ckpt=CHECKPOINT.
_base_ = [
    "../_base_/models/kd_unetpp_lwrnet.py",
    "../_base_/datasets/powder_bed_synthetic.py",
    "../_base_/losses/powder_bed_synthetic.py",
    "../_base_/schedules/schedule_500i.py",
    "../_base_/default_runtime.py",
]
_head = dict(base_channels=16, loss_decode=dict(_base_._student_loss, _delete_=True))
model = dict(
    architecture=dict(backbone=dict(base_channels=16), decode_head=_head),
    teacher=dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8)),
    distiller=dict(distill_losses=_base_._distill_losses),
)
