# SegFormer-B0 as MMSegmentation has it, on magnetic tiles, trained as the student is.
_base_ = [
    "mmseg::_base_/models/segformer_mit-b0.py",
    "../_base_/datasets/magnetic_tile.py",
    "../_base_/losses/magnetic_tile.py",
    "../_base_/schedules/schedule_8e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    data_preprocessor=dict(size_divisor=32, test_cfg=dict(size_divisor=32)),
    decode_head=dict(
        num_classes=6, norm_cfg=dict(type="BN"), loss_decode=_base_.magnetic_tile_loss
    ),
)
