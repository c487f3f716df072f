# The paper's claim on public images: a light student, well taught, comes close to its teacher.
#
# python tools/ablate.py configs/ablations/claim_magnetic-tile.py --jobs 2 --resume
# The format is told in lwam_mm/lab/studies/__init__.py.
title = "Does distillation help? Magnetic tiles, three seeds"
base = "../distill/kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
_without_feature = [
    "model.distiller.distill_losses.loss_feature",
    "model.distiller.loss_forward_mappings.loss_feature",
]
arms = {
    "teacher": dict(config="../unetpp/unetpp-w8_1xb8-8e_magnetic-tile-256x256.py"),
    "student": dict(config="../lwrnet/lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"),
    "dist": dict(teacher="teacher", remove=_without_feature),
    "all": dict(teacher="teacher"),
}
seeds = [0, 1, 2]
compare_with = "student"
amp = True
