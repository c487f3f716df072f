# How wide the student has to be, alone and taught by DIST: the feature's term wants the teacher's
# number of channels, so it is left out.
#
# python tools/ablate.py configs/ablations/width_magnetic-tile.py --jobs 2 --resume
# The format is told in lwam_mm/lab/studies/__init__.py.
title = "Width of the student"
base = "../distill/kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
_student = "../lwrnet/lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
_claim = "claim_magnetic-tile.py"
_without_feature = [
    "model.distiller.distill_losses.loss_feature",
    "model.distiller.loss_forward_mappings.loss_feature",
]


def _width(channels, student="model"):
    return {f"{student}.{part}.base_channels": channels for part in ("backbone", "decode_head")}


def _taught(channels):
    overrides = _width(channels, "model.architecture")
    return dict(teacher="teacher", remove=_without_feature, overrides=overrides)


arms = {
    "w8_alone": dict(config=_student, overrides=_width(8)),
    "w8_dist": _taught(8),
    "w16_alone": dict(study=_claim, arm="student"),
    "w16_dist": dict(study=_claim, arm="dist"),
    "w32_alone": dict(config=_student, overrides=_width(32)),
    "w32_dist": _taught(32),
    "teacher": dict(study=_claim),
}
seeds = [0]
compare_with = "w16_alone"
amp = True
