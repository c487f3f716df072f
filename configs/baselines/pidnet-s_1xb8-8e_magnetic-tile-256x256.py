# PIDNet-S as MMSegmentation has it, on magnetic tiles, trained as the student is. Its head has a
# place for one loss each: the recipe's first, the cross-entropy, takes those of the mined ones.
_base_ = [
    "../_base_/datasets/magnetic_tile.py",
    "../_base_/losses/magnetic_tile.py",
    "../_base_/schedules/schedule_8e.py",
    "../_base_/default_runtime.py",
]
_norm = dict(type="BN")
_relu = dict(type="ReLU", inplace=True)
_cross_entropy = _base_.magnetic_tile_loss[0]
model = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size_divisor=32,
        test_cfg=dict(size_divisor=32),
    ),
    backbone=dict(
        type="PIDNet",
        in_channels=3,
        channels=32,
        ppm_channels=96,
        num_stem_blocks=2,
        num_branch_blocks=3,
        align_corners=False,
        norm_cfg=_norm,
        act_cfg=_relu,
    ),
    decode_head=dict(
        type="PIDHead",
        in_channels=128,
        channels=128,
        num_classes=6,
        norm_cfg=_norm,
        act_cfg=_relu,
        align_corners=True,
        loss_decode=[
            dict(_cross_entropy, loss_weight=0.4),  # of the detail branch
            _cross_entropy,
            dict(type="BoundaryLoss", loss_weight=20.0),
            # Where the boundary branch is sure: often nowhere, which this loss bears.
            dict(_cross_entropy, loss_weight=1.0),
        ],
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
# The boundary branch learns from the masks' edges.
train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type="GenerateEdge", edge_width=4),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
