# For small nets on small data sets, longer: AdamW at 1.5e-3 for 20 epochs, warm-up over 50
# iterations, then half a cosine; validation every 5 epochs.
_base_ = ["./schedule_8e.py"]
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(
        type="CosineAnnealingLR",
        T_max=20,
        eta_min=1e-5,
        begin=0,
        end=20,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=20, val_interval=5)
