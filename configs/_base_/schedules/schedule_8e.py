# For small nets on small data sets: AdamW at 1.5e-3 for 8 epochs, warm-up over 50 iterations, then
# half a cosine; validation each 4 epochs, the best and the last two checkpoints kept.
optim_wrapper = dict(
    type="OptimWrapper", optimizer=dict(type="AdamW", lr=1.5e-3, weight_decay=0.01)
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(
        type="CosineAnnealingLR",
        T_max=8,
        eta_min=1e-5,
        begin=0,
        end=8,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]

train_cfg = dict(type="ResumableEpochTrainLoop", max_epochs=8, val_interval=4)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
log_processor = dict(type="ProgressLogProcessor", by_epoch=True)

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=20),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(
        type="BestCheckpointsHook", interval=1, max_keep_ckpts=2, by_epoch=True, save_best="mIoU"
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    visualization=dict(type="SegVisualizationHook"),
)
