# For the demo's students: AdamW at 5e-3 for 500 iterations, warm-up over the first 25, then half a
# cosine; validation every 250 iterations.
_base_ = ["./schedule_1000i.py"]
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=25, by_epoch=False),
    dict(type="CosineAnnealingLR", T_max=475, eta_min=1e-5, begin=25, end=500, by_epoch=False),
]
train_cfg = dict(max_iters=500)
