# Channel-wise distillation (Shu et al. 2021, arXiv 2011.13256) in place of DIST, with its own
# temperature and weight for logits.
_base_ = ["./_base_/magnetic_tile.py"]
title = "Channel-wise distillation in place of DIST"
_loss = dict(type="ChannelWiseLoss", tau=4.0, loss_weight=3.0)
_channel_wise = dict(
    teacher="teacher",
    remove=_base_._without_dist,
    overrides={f"{_base_._losses}.loss_cwd": _loss, f"{_base_._inputs}.loss_cwd": _base_._logits},
)
arms = {
    "teacher": dict(study=_base_._claim),
    "student": dict(study=_base_._claim),
    "dist": dict(study=_base_._claim),
    "channel-wise": dict(_channel_wise, remove=_base_._without_dist + _base_._without_feature),
    "feature+dist": dict(study=_base_._claim, arm="all"),
    "feature+channel-wise": _channel_wise,
}
compare_with = "dist"
