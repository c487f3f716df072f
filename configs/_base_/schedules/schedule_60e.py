# For nets from random weights on a few thousand images: AdamW at 2e-3 for 60 epochs in batches of
# 32, warm-up over 200 iterations, then half a cosine; validation every 30 epochs.
_base_ = ["./schedule_8e.py"]
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=200, by_epoch=False),
    dict(
        type="CosineAnnealingLR",
        T_max=60,
        eta_min=1e-5,
        begin=0,
        end=60,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=60, val_interval=30)
