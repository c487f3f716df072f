# The distillation with what the released code does differently from the paper or good practice:
# the teacher softened twice, and what the student's config in this folder lists, with a half period
# of 40 epochs.
_base_ = [
    "../_base_/models/kd_unetpp_lwrnet.py",
    "../_base_/datasets/powder_bed_as_released.py",
    "../_base_/schedules/schedule_2000e.py",
    "../_base_/default_runtime.py",
]
train_dataloader = dict(batch_size=8)
_head, _dist = dict(repeat_pixels=False), dict(loss_dist=dict(resoften_teacher=True))
model = dict(architecture=dict(decode_head=_head), distiller=dict(distill_losses=_dist))
param_scheduler = [
    dict(type="CosineAnnealingLR", T_max=40, eta_min=1e-7, begin=0, end=2000, by_epoch=True)
]
