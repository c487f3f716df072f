# Nine tenths of the pixels are background: which loss finds the rest, on the student alone. The
# recipe is weighted cross-entropy and Dice; its weights are in configs/_base_/losses.
#
# python tools/ablate.py configs/ablations/imbalance_magnetic-tile.py --jobs 2 --resume
# The format is told in lwam_mm/lab/studies/__init__.py.
title = "Losses for unequal classes"
base = "../lwrnet/lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
_loss = "model.decode_head.loss_decode"
_plain = dict(type="CrossEntropyLoss", avg_non_ignore=True)
_lovasz = dict(type="LovaszLoss", reduction="none")
_dice = dict(type="BatchDiceLoss", loss_weight=2.0)
arms = {
    "ce": dict(overrides={_loss: _plain}),
    "weighted-ce": dict(remove=[f"{_loss}.1"]),
    "ohem": dict(
        overrides={
            _loss: _plain,
            # The hardest quarter of a crop of 128 x 128, and whatever else is less than 0.7 sure.
            "model.decode_head.sampler": dict(type="OHEMPixelSampler", thresh=0.7, min_kept=4096),
        }
    ),
    "focal": dict(overrides={_loss: dict(type="PixelFocalLoss", gamma=2.0)}),
    "ce+dice": dict(overrides={_loss: [_plain, _dice]}),
    "ce+lovasz": dict(overrides={_loss: [_plain, _lovasz]}),
    "weighted-ce+lovasz": dict(overrides={f"{_loss}.1": _lovasz}),
    "recipe": dict(study="claim_magnetic-tile.py", arm="student"),
}
seeds = [0]
compare_with = "ce"
amp = True
