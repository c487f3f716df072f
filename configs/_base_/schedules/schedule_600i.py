# For small nets on real frames: AdamW at 1.5e-3 for 600 iterations, warm-up over the first 50, then
# half a cosine; validation every 300 iterations.
_base_ = ["./schedule_1000i.py"]
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type="CosineAnnealingLR", T_max=550, eta_min=1e-5, begin=50, end=600, by_epoch=False),
]
train_cfg = dict(max_iters=600, val_interval=300)
