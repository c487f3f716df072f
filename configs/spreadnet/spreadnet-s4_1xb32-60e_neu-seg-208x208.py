# The smallest net of the family on NEU-Seg, without a teacher.
_base_ = ["../_base_/models/spreadnet_s4.py", "../_base_/neu_seg_60e.py"]
model = dict(decode_head=dict(num_classes=4, loss_decode=_base_.neu_seg_loss))
