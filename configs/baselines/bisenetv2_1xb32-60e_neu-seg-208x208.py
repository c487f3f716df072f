# BiSeNetV2 as in MMSegmentation, on NEU-Seg, trained like the student.
_base_ = ["mmseg::_base_/models/bisenetv2.py", "../_base_/neu_seg_60e.py"]
_norm = dict(type="BN")
_head = dict(num_classes=4, norm_cfg=_norm, loss_decode=_base_.neu_seg_loss)
model = dict(
    data_preprocessor=dict(size_divisor=32, test_cfg=dict(size_divisor=32)),
    backbone=dict(norm_cfg=_norm),
    decode_head=_head,
    auxiliary_head=[dict(head, **_head) for head in _base_.model.auxiliary_head],
)
