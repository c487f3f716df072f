# Which teacher to take: UNet++ with and without deep supervision, U-Net, DeepLabV3+. All teach by
# DIST alone, on the logits: their deepest features have other sizes.
_base_ = ["./_base_/magnetic_tile.py"]
title = "Teachers"
_distiller = "model.distiller"
_recorders = [f"{_distiller}.{net}_recorders.feature" for net in ("student", "teacher")]
_dist = dict(remove=_base_._without_feature + _recorders)
# MMSegmentation's heads have no module of the logits' name.
_conv_seg = {f"{_distiller}.teacher_recorders.logits.source": "decode_head.conv_seg"}
# DeepLabV3+'s logits are a quarter of the image's size.
_resize = dict(
    type="mmrazor.TorchFunctionalConnector",
    function_name="interpolate",
    func_args=dict(scale_factor=4, mode="bilinear", align_corners=False),
)
_enlarged = {
    f"{_distiller}.connectors": dict(enlarge=_resize),
    f"{_base_._inputs}.loss_dist.logits_T": dict(
        recorder="logits", from_student=False, connector="enlarge"
    ),
}
arms = {
    "student": dict(study=_base_._claim),
    "unetpp": dict(study=_base_._claim, arm="teacher"),
    "by-unetpp": dict(study=_base_._claim, arm="dist"),
    "unetpp-plain": dict(
        config=_base_._teacher, overrides={"model.decode_head.deep_supervision": False}
    ),
    "by-unetpp-plain": dict(_dist, teacher="unetpp-plain"),
    "unet": dict(config="../baselines/unet-w8_1xb8-8e_magnetic-tile-256x256.py"),
    "by-unet": dict(_dist, teacher="unet", overrides=_conv_seg),
    "deeplabv3plus": dict(
        config="../baselines/deeplabv3plus_r18-w16-d8_1xb8-8e_magnetic-tile-256x256.py"
    ),
    "by-deeplabv3plus": dict(_dist, teacher="deeplabv3plus", overrides=_conv_seg | _enlarged),
}
compare_with = "student"
