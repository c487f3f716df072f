# Any number of images of any size that is a multiple of 16.
_base_ = ["./onnx.py"]
onnx_config = dict(
    dynamic_axes=dict(
        input={0: "batch", 2: "height", 3: "width"},
        output={0: "batch", 2: "height", 3: "width"},
    )
)
