# A wide SpreadNet teaches the fast one on NEU-Seg. Name the teacher with
# --cfg-options model.teacher_ckpt=CHECKPOINT.
_base_ = ["../_base_/models/kd_spreadnet.py", "../_base_/neu_seg_60e.py"]
model = dict(
    architecture=dict(decode_head=dict(num_classes=4, loss_decode=_base_.neu_seg_loss)),
    teacher=dict(decode_head=dict(num_classes=4)),
)
