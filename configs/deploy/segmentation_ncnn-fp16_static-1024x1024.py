# ncnn with weights and feature maps stored in 16 bits, one image of 1024x1024 at a time: half the
# file, and half the memory traffic on processors that know float16.
_base_ = ["./segmentation_ncnn-fp16_static-256x256.py"]
onnx_config = dict(input_shape=[1024, 1024])  # width, height
