# What all exports to ncnn share. precision is FP32, or FP16 to store weights and feature maps in
# 16 bits.
_base_ = ["./onnx.py"]
backend_config = dict(type="ncnn", precision="FP32")
