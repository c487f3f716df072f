# STDC1 as in MMSegmentation, on magnetic tiles, trained like the student: the losses' class weights
# replace the mining of hard pixels. Its boundary head keeps its own losses.
_base_ = ["mmseg::_base_/models/stdc.py", "../_base_/magnetic_tile_8e.py"]
_head = dict(num_classes=6, sampler=None, loss_decode=_base_.magnetic_tile_loss)
_heads = _base_.model.auxiliary_head
model = dict(
    data_preprocessor=dict(size_divisor=32, test_cfg=dict(size_divisor=32)),
    decode_head=_head,
    auxiliary_head=[dict(_heads[0], **_head), dict(_heads[1], **_head), _heads[2]],
)
