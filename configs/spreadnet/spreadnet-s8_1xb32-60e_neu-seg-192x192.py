# The fast net on NEU-Seg as it segments best: as in the recipe of 40 epochs, half as long again,
# and with quarter turns, as steel has no top.
_base_ = ["./spreadnet-s8_1xb32-40e_neu-seg-192x192.py"]
_turn = dict(type="RandomRotFlip", rotate_prob=0.0, flip_prob=1.0, degree=(0, 0))
train_pipeline = [*_base_.train_pipeline[:4], _turn, *_base_.train_pipeline[5:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
_warm_up, _cosine = _base_.param_scheduler
param_scheduler = [_warm_up, dict(_cosine, T_max=60, end=60)]
train_cfg = dict(max_epochs=60, val_interval=30)
