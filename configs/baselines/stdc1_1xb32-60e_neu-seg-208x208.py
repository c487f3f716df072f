# STDC1 as in MMSegmentation, on NEU-Seg, trained like the student, whose losses replace
# the mining of hard pixels. Its boundary head keeps its own losses.
_base_ = ["mmseg::_base_/models/stdc.py", "../_base_/neu_seg_60e.py"]
_head = dict(num_classes=4, sampler=None, loss_decode=_base_.neu_seg_loss)
_heads = _base_.model.auxiliary_head
model = dict(
    data_preprocessor=dict(size_divisor=32, test_cfg=dict(size_divisor=32)),
    decode_head=_head,
    auxiliary_head=[dict(_heads[0], **_head), dict(_heads[1], **_head), _heads[2]],
)
