# The student with what the released code does differently from good practice: a learning rate that
# rises and falls along a cosine with a half period of 50 epochs; corners that a rotation leaves
# empty labelled background; transposed convolutions that start from random weights.
_base_ = [
    "../_base_/models/lwrnet.py",
    "../_base_/datasets/powder_bed_as_released.py",
    "../_base_/schedules/schedule_2000e.py",
    "../_base_/default_runtime.py",
]
model = dict(decode_head=dict(repeat_pixels=False))
param_scheduler = [
    dict(type="CosineAnnealingLR", T_max=50, eta_min=1e-7, begin=0, end=2000, by_epoch=True)
]
