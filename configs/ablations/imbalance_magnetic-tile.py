# Nine tenths of the pixels are background: which loss finds the rest, on the student alone. The
# recipe is weighted cross-entropy and Dice; its weights are in configs/_base_/losses.
_base_ = ["./_base_/magnetic_tile.py"]
title = "Losses for unequal classes"
base = _base_._student
_loss = "model.decode_head.loss_decode"
_plain = dict(type="CrossEntropyLoss", avg_non_ignore=True)
_lovasz = dict(type="LovaszLoss", reduction="none")
_dice = dict(type="BatchDiceLoss", loss_weight=2.0)
# The hardest quarter of a crop of 128 x 128, and all other pixels that are less than 0.7 sure.
_ohem = dict(type="OHEMPixelSampler", thresh=0.7, min_kept=4096)
arms = {
    "ce": dict(overrides={_loss: _plain}),
    "weighted-ce": dict(remove=[f"{_loss}.1"]),
    "ohem": dict(overrides={_loss: _plain, "model.decode_head.sampler": _ohem}),
    "focal": dict(overrides={_loss: dict(type="PixelFocalLoss", gamma=2.0)}),
    "ce+dice": dict(overrides={_loss: [_plain, _dice]}),
    "ce+lovasz": dict(overrides={_loss: [_plain, _lovasz]}),
    "weighted-ce+lovasz": dict(overrides={f"{_loss}.1": _lovasz}),
    "recipe": dict(study=_base_._claim, arm="student"),
}
compare_with = "ce"
