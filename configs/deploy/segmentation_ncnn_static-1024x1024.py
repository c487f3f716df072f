# ncnn, one image of 1024x1024 at a time; other images are resized to that.
_base_ = ["./_base_/ncnn.py"]
onnx_config = dict(input_shape=[1024, 1024])  # width, height
