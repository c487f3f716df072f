# The demo's teacher: a quarter of the released width, small synthetic layers, minutes on a CPU.
_base_ = [
    "../_base_/models/unetpp.py",
    "../_base_/datasets/powder_bed_synthetic.py",
    "../_base_/schedules/schedule_400i.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(base_channels=8),
    decode_head=dict(
        base_channels=8,
        # Background covers more than nine tenths of a layer; hopping and streaking are thin.
        loss_decode=dict(
            _delete_=True,
            type="WeightedCrossEntropyLoss",
            class_weight=[0.3, 1.0, 1.0, 2.0, 2.0, 1.0],
        ),
    ),
)
