# Distillation: UNet++ teaches LWRNet with its deepest feature (4 x MSE) and with DIST on the logits
# (2 x, temperature 4, the paper's form), beside the student's own cross-entropy. The features have
# equally many channels where the student is twice as wide as the teacher, as released.
_base_ = ["../networks/lwrnet.py", "../networks/unetpp.py", "../data_preprocessor.py"]
model = dict(
    type="FrozenTeacherDistill",
    architecture=dict(_base_._student, data_preprocessor=_base_._data_preprocessor),
    teacher=_base_._teacher,
    teacher_ckpt=None,  # set it in the leaf config or with --cfg-options
    distiller=dict(
        type="mmrazor.ConfigurableDistiller",
        student_recorders=dict(
            feature=dict(type="mmrazor.ModuleOutputs", source="backbone.stage4"),
            logits=dict(type="mmrazor.ModuleOutputs", source="decode_head.logits"),
        ),
        teacher_recorders=dict(
            feature=dict(type="mmrazor.ModuleOutputs", source="backbone.nodes.x_40"),
            logits=dict(type="mmrazor.ModuleOutputs", source="decode_head.logits"),
        ),
        distill_losses=dict(
            loss_feature=dict(
                type="mmrazor.L2Loss", normalize=False, div_element=True, loss_weight=4.0
            ),
            loss_dist=dict(type="PixelDISTLoss", tau=4.0, loss_weight=2.0),
        ),
        loss_forward_mappings=dict(
            loss_feature=dict(
                s_feature=dict(recorder="feature", from_student=True),
                t_feature=dict(recorder="feature", from_student=False),
            ),
            loss_dist=dict(
                logits_S=dict(recorder="logits", from_student=True),
                logits_T=dict(recorder="logits", from_student=False),
            ),
        ),
    ),
)
