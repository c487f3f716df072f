# The student at a quarter of its width on real powder-bed frames, from scratch, without a teacher.
_base_ = [
    "../_base_/models/lwrnet.py",
    "../_base_/datasets/polito_frames.py",
    "../_base_/losses/polito_frames.py",
    "../_base_/schedules/schedule_600i.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(base_channels=16),
    decode_head=dict(base_channels=16, loss_decode=_base_.polito_frames_loss),
)
