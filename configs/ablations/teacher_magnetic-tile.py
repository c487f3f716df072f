# Who should teach: UNet++ with and without deep supervision, U-Net, DeepLabV3+. All teach by DIST
# alone, on the logits: their deepest features have other sizes.
#
# python tools/ablate.py configs/ablations/teacher_magnetic-tile.py --jobs 2 --resume
# The format is told in lwam_mm/lab/studies/__init__.py.
title = "Teachers"
base = "../distill/kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
_claim = "claim_magnetic-tile.py"
_without_feature = [
    "model.distiller.distill_losses.loss_feature",
    "model.distiller.loss_forward_mappings.loss_feature",
    "model.distiller.student_recorders.feature",
    "model.distiller.teacher_recorders.feature",
]
# MMSegmentation's heads have no module of the logits' name.
_logits = {"model.distiller.teacher_recorders.logits.source": "decode_head.conv_seg"}
# DeepLabV3+'s logits are a quarter of the image's size.
_enlarged = {
    "model.distiller.connectors": dict(
        enlarge=dict(
            type="mmrazor.TorchFunctionalConnector",
            function_name="interpolate",
            func_args=dict(scale_factor=4, mode="bilinear", align_corners=False),
        )
    ),
    "model.distiller.loss_forward_mappings.loss_dist.logits_T": dict(
        recorder="logits", from_student=False, connector="enlarge"
    ),
}
arms = {
    "student": dict(study=_claim),
    "unetpp": dict(study=_claim, arm="teacher"),
    "by-unetpp": dict(study=_claim, arm="dist"),
    "unetpp-plain": dict(
        config="../unetpp/unetpp-w8_1xb8-8e_magnetic-tile-256x256.py",
        overrides={"model.decode_head.deep_supervision": False},
    ),
    "by-unetpp-plain": dict(teacher="unetpp-plain", remove=_without_feature),
    "unet": dict(config="../baselines/unet-w8_1xb8-8e_magnetic-tile-256x256.py"),
    "by-unet": dict(teacher="unet", remove=_without_feature, overrides=_logits),
    "deeplabv3plus": dict(
        config="../baselines/deeplabv3plus_r18-w16-d8_1xb8-8e_magnetic-tile-256x256.py"
    ),
    "by-deeplabv3plus": dict(
        teacher="deeplabv3plus", remove=_without_feature, overrides=_logits | _enlarged
    ),
}
seeds = [0]
compare_with = "student"
amp = True
