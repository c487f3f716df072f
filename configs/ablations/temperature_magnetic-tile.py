# How soft the teacher's answers should be for DIST; LWAM has 4, and so has the claim's arm.
#
# python tools/ablate.py configs/ablations/temperature_magnetic-tile.py --jobs 2 --resume
# The format is told in lwam_mm/lab/studies/__init__.py.
title = "Temperature of DIST"
base = "../distill/kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
_claim = "claim_magnetic-tile.py"
_tau = "model.distiller.distill_losses.loss_dist.tau"
arms = {
    "teacher": dict(study=_claim),
    "student": dict(study=_claim),
    "tau-1": dict(teacher="teacher", overrides={_tau: 1.0}),
    "tau-2": dict(teacher="teacher", overrides={_tau: 2.0}),
    "tau-4": dict(study=_claim, arm="all"),
    "tau-8": dict(teacher="teacher", overrides={_tau: 8.0}),
}
seeds = [0]
compare_with = "tau-4"
amp = True
