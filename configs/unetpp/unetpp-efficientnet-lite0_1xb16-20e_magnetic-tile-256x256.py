# The teacher with an encoder that has seen ImageNet, on magnetic tiles by the longer recipe.
_base_ = ["../_base_/models/unetpp_efficientnet_lite0.py", "../_base_/magnetic_tile_20e.py"]
model = dict(decode_head=dict(loss_decode=_base_.magnetic_tile_loss))
