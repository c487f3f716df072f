# What all exports to TensorRT share. They need an NVIDIA GPU, TensorRT and MMDeploy's TensorRT
# parts, and were never run here: only their ONNX file is tested.
_base_ = ["./onnx.py"]
backend_config = dict(
    type="tensorrt",
    common_config=dict(fp16_mode=False, int8_mode=False, max_workspace_size=1 << 30),  # bytes
)
