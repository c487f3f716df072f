# What the branches that folding removes are worth in training, on the student alone.
_base_ = ["./_base_/magnetic_tile.py"]
title = "Branches of the student's blocks"
base = _base_._student
_parts = ("model.backbone", "model.decode_head")
_no_1x1 = {f"{part}.with_1x1": False for part in _parts}
_no_identity = {f"{part}.with_identity": False for part in _parts}
arms = {
    "3x3": dict(overrides=_no_1x1 | _no_identity),
    "3x3+1x1": dict(overrides=_no_identity),
    "3x3+identity": dict(overrides=_no_1x1),
    "3x3+1x1+identity": dict(study=_base_._claim, arm="student"),
    "qarepconv": dict(overrides={f"{part}.block": "QARepConv" for part in _parts}),
}
compare_with = "3x3"
