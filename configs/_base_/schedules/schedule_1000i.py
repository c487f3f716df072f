# AdamW at 5e-3 for 1000 iterations, warm-up over the first 50, then half a cosine; validation every
# 250 iterations.
_base_ = ["../default_hooks.py"]
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=5e-3, weight_decay=0.01))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type="CosineAnnealingLR", T_max=950, eta_min=1e-5, begin=50, end=1000, by_epoch=False),
]
train_cfg = dict(type="ResumableIterTrainLoop", max_iters=1000, val_interval=250)
log_processor = dict(type="ProgressLogProcessor", by_epoch=False)
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False), checkpoint=dict(interval=50, by_epoch=False)
)
