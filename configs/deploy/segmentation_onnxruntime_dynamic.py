# ONNX Runtime, any number of images of any size that is a multiple of 16.
_base_ = ["./_base_/onnx_dynamic.py"]
backend_config = dict(type="onnxruntime")
