# What all exports to ONNX Runtime share.
_base_ = ["./onnx.py"]
backend_config = dict(type="onnxruntime")
