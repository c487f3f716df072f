# Distillation: UNet++ teaches LWRNet by its deepest feature (4 x MSE) and by DIST on the logits
# (2 x, temperature 4, the paper's form), beside the student's own cross-entropy.
# Both nets see the images as the student's data_preprocessor gives them. The features agree in
# channels where the student is twice as wide as the teacher, as released.
_data_preprocessor = dict(
    type="SegDataPreProcessor",
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size_divisor=16,
    test_cfg=dict(size_divisor=16),
)
_loss = dict(type="JointCrossEntropyLoss", avg_non_ignore=True)

model = dict(
    type="FrozenTeacherDistill",
    architecture=dict(
        type="FoldableEncoderDecoder",
        data_preprocessor=_data_preprocessor,
        backbone=dict(
            type="LWRNet",
            base_channels=64,
            with_1x1=True,
            with_identity=True,
            norm_cfg=dict(type="BN"),
        ),
        decode_head=dict(
            type="LWRHead",
            base_channels=64,
            with_1x1=True,
            with_identity=True,
            norm_cfg=dict(type="BN"),
            num_classes=6,
            loss_decode=_loss,
        ),
        train_cfg=dict(),
        test_cfg=dict(mode="whole"),
    ),
    teacher=dict(
        type="EncoderDecoder",
        backbone=dict(type="UNetPlusPlus", base_channels=32, norm_cfg=dict(type="BN")),
        decode_head=dict(
            type="UNetPlusPlusHead",
            base_channels=32,
            deep_supervision=True,
            num_classes=6,
            loss_decode=_loss,
        ),
        train_cfg=dict(),
        test_cfg=dict(mode="whole"),
    ),
    teacher_ckpt=None,  # the leaf config or --cfg-options says which
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
