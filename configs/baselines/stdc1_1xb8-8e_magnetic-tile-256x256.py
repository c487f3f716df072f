# STDC1 as MMSegmentation has it, on magnetic tiles, trained as the student is: without the mining
# of hard pixels, which the losses' weights stand in for. Its boundary head keeps its own losses.
_base_ = [
    "mmseg::_base_/models/stdc.py",
    "../_base_/datasets/magnetic_tile.py",
    "../_base_/losses/magnetic_tile.py",
    "../_base_/schedules/schedule_8e.py",
    "../_base_/default_runtime.py",
]
_head = dict(num_classes=6, sampler=None, loss_decode=_base_.magnetic_tile_loss)
model = dict(
    data_preprocessor=dict(size_divisor=32, test_cfg=dict(size_divisor=32)),
    decode_head=_head,
    auxiliary_head=[
        *(dict(head, **_head) for head in _base_.model.auxiliary_head[:2]),
        _base_.model.auxiliary_head[2],
    ],
)
