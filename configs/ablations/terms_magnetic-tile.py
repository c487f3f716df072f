# What each term of the distillation is worth: the feature's, DIST and KL, alone, in pairs and all
# together; and the paper's pair in the form of the released code, which softens the teacher twice.
_base_ = ["./_base_/magnetic_tile.py"]
title = "Terms of the distillation"
_feature, _dist = _base_._without_feature, _base_._without_dist
_kl = {
    f"{_base_._losses}.loss_kl": dict(type="PixelKLLoss", tau=4.0),
    f"{_base_._inputs}.loss_kl": _base_._logits,
}
_twice = {f"{_base_._losses}.loss_dist.resoften_teacher": True}
arms = {
    "none": dict(study=_base_._claim, arm="student"),
    "feature": dict(teacher="teacher", remove=_dist),
    "dist": dict(study=_base_._claim),
    "kl": dict(teacher="teacher", remove=_feature + _dist, overrides=_kl),
    "feature+dist": dict(study=_base_._claim, arm="all"),
    "feature+kl": dict(teacher="teacher", remove=_dist, overrides=_kl),
    "dist+kl": dict(teacher="teacher", remove=_feature, overrides=_kl),
    "feature+dist+kl": dict(teacher="teacher", overrides=_kl),
    "feature+dist_as-released": dict(teacher="teacher", overrides=_twice),
    "teacher": dict(study=_base_._claim),
}
compare_with = "none"
