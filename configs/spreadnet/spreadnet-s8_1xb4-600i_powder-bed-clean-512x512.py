# The fast net on a machine's own clean frames, without any label. What is tested is how little it
# calls a defect on clean frames, so the last checkpoint is taken and not the best.
_base_ = [
    "../_base_/models/spreadnet.py",
    "../_base_/datasets/powder_bed_clean.py",
    "../_base_/losses/polito_frames.py",
    "../_base_/schedules/schedule_600i.py",
    "../_base_/default_runtime.py",
]
load_from = "lwam_mm::powder-bed-drawn"
model = dict(decode_head=dict(loss_decode=_base_.polito_frames_loss))
default_hooks = dict(checkpoint=dict(type="ResumableCheckpointsHook", save_best=None))
