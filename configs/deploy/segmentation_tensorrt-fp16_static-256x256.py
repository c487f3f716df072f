# TensorRT in float16, one image of 256x256 at a time.
_base_ = ["./_base_/tensorrt.py"]
_shape = [1, 3, 256, 256]
onnx_config = dict(input_shape=[256, 256])  # width, height
backend_config = dict(
    common_config=dict(fp16_mode=True),
    model_inputs=[
        dict(input_shapes=dict(input=dict(min_shape=_shape, opt_shape=_shape, max_shape=_shape)))
    ],
)
