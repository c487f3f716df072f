# What the studies on magnetic tiles share; lwam_mm/lab/studies/__init__.py documents the format.
# `python tools/ablate.py configs/ablations/STUDY.py --jobs 2 --resume` runs a study.
base = "../distill/kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
seeds = [0]
amp = True

_student = "../lwrnet/lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
_teacher = "../unetpp/unetpp-w8_1xb8-8e_magnetic-tile-256x256.py"
_claim = "claim_magnetic-tile.py"
_losses, _inputs = "model.distiller.distill_losses", "model.distiller.loss_forward_mappings"
_without_feature = [f"{_losses}.loss_feature", f"{_inputs}.loss_feature"]
_without_dist = [f"{_losses}.loss_dist", f"{_inputs}.loss_dist"]
_logits = dict(
    preds_S=dict(recorder="logits", from_student=True),
    preds_T=dict(recorder="logits", from_student=False),
)
