# The narrow student on magnetic tiles, with blocks that keep their accuracy in INT8 (QARepVGG).
_base_ = ["./lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"]
model = dict(backbone=dict(block="QARepConv"), decode_head=dict(block="QARepConv"))
