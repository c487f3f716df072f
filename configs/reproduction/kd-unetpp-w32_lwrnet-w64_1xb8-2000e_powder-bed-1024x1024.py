# The distillation with what the released code does differently from the paper or from good
# practice: the teacher's logits softened twice; a learning rate that swings along a cosine with a
# half period of 40 epochs; corners that a rotation leaves empty taught as background.
_base_ = ["../distill/kd-unetpp-w32_lwrnet-w64_1xb8-2000e_powder-bed-1024x1024.py"]
model = dict(distiller=dict(distill_losses=dict(loss_dist=dict(resoften_teacher=True))))
param_scheduler = [
    dict(type="CosineAnnealingLR", T_max=40, eta_min=1e-7, begin=0, end=2000, by_epoch=True)
]
