# The narrow teacher teaches, on magnetic tiles, a student whose blocks keep their accuracy in INT8
# (QARepVGG). Name the teacher with --cfg-options model.teacher_ckpt=CHECKPOINT.
_base_ = ["./kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"]
model = dict(
    architecture=dict(backbone=dict(block="QARepConv"), decode_head=dict(block="QARepConv"))
)
