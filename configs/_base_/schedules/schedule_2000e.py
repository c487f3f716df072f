# As released: Adam at 1e-4 for 2000 epochs, validation after each, the 20 newest bests kept and one
# checkpoint every 50 epochs (besides the last two, to resume from); training stops after 400 epochs
# without improvement. The learning rate falls once, along half a cosine; configs/reproduction has
# the released one, which rises and falls.
_base_ = ["../default_hooks.py"]
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4))
param_scheduler = [
    dict(type="CosineAnnealingLR", T_max=2000, eta_min=1e-7, begin=0, end=2000, by_epoch=True)
]
train_cfg = dict(type="ResumableEpochTrainLoop", max_epochs=2000, val_interval=1)
log_processor = dict(type="ProgressLogProcessor", by_epoch=True)
default_hooks = dict(
    checkpoint=dict(interval=1, keep_every=50, by_epoch=True, max_keep_best=20),
    early_stopping=dict(
        type="ResumableEarlyStoppingHook", monitor="mIoU", rule="greater", patience=400
    ),
)
