# What each term of the distillation is worth: the feature's, DIST and KL, alone, in pairs and all
# together; and the paper's pair in the form of the released code, which softens the teacher twice.
#
# python tools/ablate.py configs/ablations/terms_magnetic-tile.py --jobs 2 --resume
# The format is told in lwam_mm/lab/studies/__init__.py.
title = "Terms of the distillation"
base = "../distill/kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"


def _without(*terms):
    return [
        f"model.distiller.{part}.loss_{term}"
        for term in terms
        for part in ("distill_losses", "loss_forward_mappings")
    ]


_kl = {
    "model.distiller.distill_losses.loss_kl": dict(type="PixelKLLoss", tau=4.0),
    "model.distiller.loss_forward_mappings.loss_kl": dict(
        preds_S=dict(recorder="logits", from_student=True),
        preds_T=dict(recorder="logits", from_student=False),
    ),
}
_claim = "claim_magnetic-tile.py"
arms = {
    "none": dict(study=_claim, arm="student"),
    "feature": dict(teacher="teacher", remove=_without("dist")),
    "dist": dict(study=_claim),
    "kl": dict(teacher="teacher", remove=_without("feature", "dist"), overrides=_kl),
    "feature+dist": dict(study=_claim, arm="all"),
    "feature+kl": dict(teacher="teacher", remove=_without("dist"), overrides=_kl),
    "dist+kl": dict(teacher="teacher", remove=_without("feature"), overrides=_kl),
    "feature+dist+kl": dict(teacher="teacher", overrides=_kl),
    "feature+dist_as-released": dict(
        teacher="teacher",
        overrides={"model.distiller.distill_losses.loss_dist.resoften_teacher": True},
    ),
    "teacher": dict(study=_claim),
}
seeds = [0]
compare_with = "none"
amp = True
