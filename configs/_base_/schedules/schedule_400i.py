# For the demo's teacher: AdamW at 3e-3 for 400 iterations, warm-up over the first 20, then half a
# cosine; validation every 200 iterations.
_base_ = ["./schedule_1000i.py"]
optim_wrapper = dict(optimizer=dict(lr=3e-3))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=20, by_epoch=False),
    dict(type="CosineAnnealingLR", T_max=380, eta_min=1e-5, begin=20, end=400, by_epoch=False),
]
train_cfg = dict(max_iters=400, val_interval=200)
