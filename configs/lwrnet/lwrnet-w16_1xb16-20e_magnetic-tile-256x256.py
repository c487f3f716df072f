# The student at a quarter of its width on magnetic tiles by the longer recipe, without a teacher.
_base_ = ["../_base_/models/lwrnet.py", "../_base_/magnetic_tile_20e.py"]
model = dict(
    backbone=dict(base_channels=16),
    decode_head=dict(base_channels=16, loss_decode=_base_.magnetic_tile_loss),
)
