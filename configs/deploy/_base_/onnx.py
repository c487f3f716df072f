# What all exports share: the folded student in ONNX, logits as output, so that whoever runs the
# model resizes them as MMSegmentation does. Loading a config registers our backends, also where
# MMDeploy's tools/deploy.py converts before it asks codebase_config for modules.
_base_ = ["./gate.py"]
custom_imports = dict(imports=["lwam_mm.deploy"], allow_failed_imports=False)
onnx_config = dict(
    type="onnx",
    export_params=True,
    keep_initializers_as_inputs=False,
    opset_version=17,
    save_file="end2end.onnx",
    input_names=["input"],
    output_names=["output"],
    input_shape=None,
    optimize=False,
)
codebase_config = dict(
    type="mmseg",
    task="Segmentation",
    module=["lwam_mm.deploy"],
    model_type="logits_end2end",
    with_argmax=False,
)
