# The fast net on magnetic tiles, without a teacher, trained like the student.
_base_ = ["../_base_/models/spreadnet.py", "../_base_/magnetic_tile_8e.py"]
model = dict(decode_head=dict(loss_decode=_base_.magnetic_tile_loss))
