# The student at a quarter of its width on NEU-Seg, without a teacher.
_base_ = ["../_base_/models/lwrnet.py", "../_base_/neu_seg_60e.py"]
model = dict(
    backbone=dict(base_channels=16),
    decode_head=dict(base_channels=16, num_classes=4, loss_decode=_base_.neu_seg_loss),
)
