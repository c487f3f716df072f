# The distillation with what the released code does differently from the paper or from good
# practice: the teacher softened twice; a learning rate that swings along a cosine with a
# half period of 40 epochs; corners that a rotation leaves empty taught as background;
# transposed convolutions that begin as torch has them.
_base_ = [
    "../_base_/models/kd_unetpp_lwrnet.py",
    "../_base_/datasets/powder_bed_as_released.py",
    "../_base_/schedules/schedule_2000e.py",
    "../_base_/default_runtime.py",
]
train_dataloader = dict(batch_size=8)
model = dict(
    architecture=dict(decode_head=dict(repeat_pixels=False)),
    distiller=dict(distill_losses=dict(loss_dist=dict(resoften_teacher=True))),
)
param_scheduler = [
    dict(type="CosineAnnealingLR", T_max=40, eta_min=1e-7, begin=0, end=2000, by_epoch=True)
]
