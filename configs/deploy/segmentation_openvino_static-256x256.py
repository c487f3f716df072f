# OpenVINO, one image of 256x256 at a time; other images are resized to that.
_base_ = ["./_base_/openvino.py"]
onnx_config = dict(input_shape=[256, 256])  # width, height
