# For small nets on drawn layers: AdamW at 1.5e-3 for 2500 iterations, warm-up over the first 100,
# then half a cosine; validation every 1250 iterations.
_base_ = ["./schedule_1000i.py"]
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=100, by_epoch=False),
    dict(type="CosineAnnealingLR", T_max=2400, eta_min=1e-5, begin=100, end=2500, by_epoch=False),
]
train_cfg = dict(max_iters=2500, val_interval=1250)
default_hooks = dict(checkpoint=dict(interval=250))
