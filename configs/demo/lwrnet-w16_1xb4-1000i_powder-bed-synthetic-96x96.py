# The demo's student, without a teacher: a quarter of the released width, small synthetic layers.
_base_ = [
    "../_base_/models/lwrnet.py",
    "../_base_/datasets/powder_bed_synthetic.py",
    "../_base_/schedules/schedule_1000i.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(base_channels=16),
    decode_head=dict(
        base_channels=16,
        # Background covers more than nine tenths of a layer; hopping and streaking are thin.
        loss_decode=dict(
            _delete_=True,
            type="WeightedCrossEntropyLoss",
            class_weight=[0.3, 1.0, 1.0, 5.0, 3.0, 1.0],
        ),
    ),
)
