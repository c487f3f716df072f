# The teacher at a quarter of its width on magnetic tiles: real images, trainable on a CPU.
_base_ = ["../_base_/models/unetpp.py", "../_base_/magnetic_tile_8e.py"]
model = dict(
    backbone=dict(base_channels=8),
    decode_head=dict(base_channels=8, loss_decode=_base_.magnetic_tile_loss),
)
