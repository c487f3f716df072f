# What all exports to OpenVINO share: weights and arithmetic in float32.
_base_ = ["./onnx.py"]
backend_config = dict(type="openvino")
