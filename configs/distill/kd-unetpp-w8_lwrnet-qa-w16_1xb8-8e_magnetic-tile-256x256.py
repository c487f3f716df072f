# The narrow teacher teaches, on magnetic tiles, a student whose blocks keep their accuracy in INT8
# (QARepVGG). Name the teacher with --cfg-options model.teacher_ckpt=CHECKPOINT.
_base_ = ["./kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"]
_block = dict(block="QARepConv")
model = dict(architecture=dict(backbone=_block, decode_head=_block))
