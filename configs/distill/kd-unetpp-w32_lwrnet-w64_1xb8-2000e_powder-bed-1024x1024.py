# The teacher of configs/unetpp teaches the student on powder-bed images, with the losses in the
# paper's form. Name the teacher with --cfg-options model.teacher_ckpt=CHECKPOINT.
_base_ = [
    "../_base_/models/kd_unetpp_lwrnet.py",
    "../_base_/datasets/powder_bed.py",
    "../_base_/schedules/schedule_2000e.py",
    "../_base_/default_runtime.py",
]
train_dataloader = dict(batch_size=8)
