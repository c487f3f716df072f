# What all exports to ONNX Runtime share: the folded student, logits as output, so that whoever
# runs the model resizes them as MMSegmentation does.
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
backend_config = dict(type="onnxruntime")
