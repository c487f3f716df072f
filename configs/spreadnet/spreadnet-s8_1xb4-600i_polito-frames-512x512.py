# The fast net on real powder-bed frames, from scratch. Name weights to start from with
# --cfg-options load_from=CHECKPOINT.
_base_ = [
    "../_base_/models/spreadnet.py",
    "../_base_/datasets/polito_frames.py",
    "../_base_/losses/polito_frames.py",
    "../_base_/schedules/schedule_600i.py",
    "../_base_/default_runtime.py",
]
model = dict(decode_head=dict(loss_decode=_base_.polito_frames_loss))
