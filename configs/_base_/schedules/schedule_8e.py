# For small nets on small data sets: AdamW at 1.5e-3 for 8 epochs, warm-up over 50 iterations, then
# half a cosine; validation every 4 epochs.
_base_ = ["../default_hooks.py"]
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
log_processor = dict(type="ProgressLogProcessor", by_epoch=True)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=1, by_epoch=True))
