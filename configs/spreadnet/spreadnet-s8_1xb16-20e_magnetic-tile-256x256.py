# The fast net on magnetic tiles by the longer recipe, from the net that comes with the package.
_base_ = ["../_base_/models/spreadnet.py", "../_base_/magnetic_tile_20e.py"]
model = dict(decode_head=dict(loss_decode=_base_.magnetic_tile_loss))
load_from = "lwam_mm::powder-bed-drawn"
