# Channel-wise distillation (Shu et al. 2021, arXiv 2011.13256) in place of DIST, with its own
# temperature and weight for logits.
#
# python tools/ablate.py configs/ablations/channel-wise_magnetic-tile.py --jobs 2 --resume
# The format is told in lwam_mm/lab/studies/__init__.py.
title = "Channel-wise distillation in place of DIST"
base = "../distill/kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
_claim = "claim_magnetic-tile.py"
_without_dist = [
    "model.distiller.distill_losses.loss_dist",
    "model.distiller.loss_forward_mappings.loss_dist",
]
_without_feature = [
    "model.distiller.distill_losses.loss_feature",
    "model.distiller.loss_forward_mappings.loss_feature",
]
_channel_wise = {
    "model.distiller.distill_losses.loss_cwd": dict(
        type="ChannelWiseLoss", tau=4.0, loss_weight=3.0
    ),
    "model.distiller.loss_forward_mappings.loss_cwd": dict(
        preds_S=dict(recorder="logits", from_student=True),
        preds_T=dict(recorder="logits", from_student=False),
    ),
}
arms = {
    "teacher": dict(study=_claim),
    "student": dict(study=_claim),
    "dist": dict(study=_claim),
    "channel-wise": dict(
        teacher="teacher", remove=_without_dist + _without_feature, overrides=_channel_wise
    ),
    "feature+dist": dict(study=_claim, arm="all"),
    "feature+channel-wise": dict(teacher="teacher", remove=_without_dist, overrides=_channel_wise),
}
seeds = [0]
compare_with = "dist"
amp = True
