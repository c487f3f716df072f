# As released: Adam at 1e-4 for 2000 epochs, validation after each, the 20 newest bests kept and
# one checkpoint each 50 epochs (besides the last two, to resume from), stop after 400 epochs
# without improvement. The rate falls once, along half a cosine; configs/reproduction has the
# released swinging.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4))
param_scheduler = [
    dict(type="CosineAnnealingLR", T_max=2000, eta_min=1e-7, begin=0, end=2000, by_epoch=True)
]

train_cfg = dict(type="ResumableEpochTrainLoop", max_epochs=2000, val_interval=1)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
log_processor = dict(type="ProgressLogProcessor", by_epoch=True)

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=50),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(
        type="BestCheckpointsHook",
        interval=1,
        keep_every=50,
        max_keep_ckpts=2,
        by_epoch=True,
        save_best="mIoU",
        max_keep_best=20,
    ),
    early_stopping=dict(
        type="ResumableEarlyStoppingHook", monitor="mIoU", rule="greater", patience=400
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    visualization=dict(type="SegVisualizationHook"),
)
