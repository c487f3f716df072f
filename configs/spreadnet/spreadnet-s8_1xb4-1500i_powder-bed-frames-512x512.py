# The fast net on real powder-bed frames, from scratch.
_base_ = [
    "../_base_/models/spreadnet.py",
    "../_base_/datasets/powder_bed_frames_by_build.py",
    "../_base_/losses/powder_bed_frames.py",
    "../_base_/schedules/schedule_1500i.py",
    "../_base_/default_runtime.py",
]
model = dict(decode_head=dict(loss_decode=_base_.powder_bed_frames_loss))
