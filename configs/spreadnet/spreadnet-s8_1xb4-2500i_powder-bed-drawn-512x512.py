# The fast net on drawn layers, to start from on real frames.
_base_ = [
    "../_base_/models/spreadnet.py",
    "../_base_/datasets/powder_bed_drawn.py",
    "../_base_/losses/powder_bed_frames.py",
    "../_base_/schedules/schedule_2500i.py",
    "../_base_/default_runtime.py",
]
model = dict(decode_head=dict(loss_decode=_base_.powder_bed_frames_loss))
