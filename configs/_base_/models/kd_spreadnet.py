# Distillation: SpreadNet S20, 1.5 times as wide, teaches S8 each pixel's probabilities (3 x KL) and
# their correlations (DIST, temperature 4), beside the student's own losses.
_base_ = ["../networks/spreadnet.py", "../data_preprocessor.py"]
_channels = (48, 96, 192, 288)
_wide = dict(
    _base_._spreadnet,
    backbone=dict(
        _base_._spreadnet["backbone"], unshuffle=2, channels=_channels, depths=(1, 2, 2, 2)
    ),
    decode_head=dict(_base_._spreadnet["decode_head"], unshuffle=2, in_channels=_channels),
)
_logits = dict(logits=dict(type="mmrazor.ModuleOutputs", source="decode_head.logits"))
model = dict(
    type="FrozenTeacherDistill",
    architecture=dict(_base_._spreadnet, data_preprocessor=_base_._data_preprocessor),
    teacher=_wide,
    teacher_ckpt=None,  # set it in the leaf config or with --cfg-options
    distiller=dict(
        type="mmrazor.ConfigurableDistiller",
        student_recorders=_logits,
        teacher_recorders=_logits,
        distill_losses=dict(
            loss_kl=dict(type="PixelKLLoss", tau=1.0, loss_weight=3.0),
            loss_dist=dict(type="PixelDISTLoss", tau=4.0, loss_weight=1.0),
        ),
        loss_forward_mappings=dict(
            loss_kl=dict(
                preds_S=dict(recorder="logits", from_student=True),
                preds_T=dict(recorder="logits", from_student=False),
            ),
            loss_dist=dict(
                logits_S=dict(recorder="logits", from_student=True),
                logits_T=dict(recorder="logits", from_student=False),
            ),
        ),
    ),
)
