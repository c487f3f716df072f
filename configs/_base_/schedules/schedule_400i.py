# For the demo: AdamW at 3e-3 for 400 iterations, warm-up over the first 20, then half a cosine;
# validation each 200 iterations, the best and the last two checkpoints kept.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=3e-3, weight_decay=0.01))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=20, by_epoch=False),
    dict(type="CosineAnnealingLR", T_max=380, eta_min=1e-5, begin=20, end=400, by_epoch=False),
]

train_cfg = dict(type="ResumableIterTrainLoop", max_iters=400, val_interval=200)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
log_processor = dict(type="ProgressLogProcessor", by_epoch=False)

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(
        type="BestCheckpointsHook",
        interval=50,
        max_keep_ckpts=2,
        by_epoch=False,
        save_best="mIoU",
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    visualization=dict(type="SegVisualizationHook"),
)
