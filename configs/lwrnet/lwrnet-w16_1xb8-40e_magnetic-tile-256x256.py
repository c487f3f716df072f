# The student at a quarter of its width on magnetic tiles, without a teacher.
_base_ = [
    "../_base_/models/lwrnet.py",
    "../_base_/datasets/magnetic_tile.py",
    "../_base_/schedules/schedule_40e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(base_channels=16),
    decode_head=dict(
        base_channels=16,
        # Background covers nine tenths of the defective tiles; blowholes and cracks are tiny.
        loss_decode=dict(
            _delete_=True,
            type="WeightedCrossEntropyLoss",
            class_weight=[0.2, 2.0, 1.0, 2.0, 1.0, 1.0],
        ),
    ),
)
