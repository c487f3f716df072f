# The demo's distillation: its teacher teaches its student. Give the teacher with
# --cfg-options model.teacher_ckpt=CHECKPOINT.
_base_ = [
    "../_base_/models/kd_unetpp_lwrnet.py",
    "../_base_/datasets/powder_bed_synthetic.py",
    "../_base_/schedules/schedule_1000i.py",
    "../_base_/default_runtime.py",
]
model = dict(
    architecture=dict(
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
    ),
    teacher=dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8)),
    # Lighter than the paper's 4 and 2: in so short a training the rare hopping would go under.
    distiller=dict(
        distill_losses=dict(loss_feature=dict(loss_weight=1.0), loss_dist=dict(loss_weight=1.0))
    ),
)
