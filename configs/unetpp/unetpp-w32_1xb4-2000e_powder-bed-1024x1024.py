# The teacher on powder-bed images, as released.
_base_ = [
    "../_base_/models/unetpp.py",
    "../_base_/datasets/powder_bed.py",
    "../_base_/schedules/schedule_2000e.py",
    "../_base_/default_runtime.py",
]
