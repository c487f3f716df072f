# The student alone on powder-bed images, as released: what the distillation is compared with.
_base_ = [
    "../_base_/models/lwrnet.py",
    "../_base_/datasets/powder_bed.py",
    "../_base_/schedules/schedule_2000e.py",
    "../_base_/default_runtime.py",
]
