# NEU-Seg, defects of hot-rolled steel, 200 x 200 shown at 208 x 208: the benchmark of light nets in
# this field, with its published split of 3,630 images for training and 840 for testing.
#
# The environment variable LWAM_DATA_ROOT names the folder that holds neu_seg/. The literature's
# mIoU is the mean over the background and the three defects, as SegmentationMetric's is.
_base_ = ["./powder_bed.py"]
data_root = "{{$LWAM_DATA_ROOT:data}}/neu_seg"
metainfo = dict(
    classes=["Background", "Inclusion", "Patches", "Scratches"],
    palette=[[0, 0, 0], [255, 0, 0], [0, 255, 0], [255, 255, 0]],
)
img_scale = (208, 208)  # width, height; a multiple of 16

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadIndexMask"),
    dict(
        type="StagedTransforms",
        stages=[
            # Crops nearly as large as the images: nets see as far in training as in testing.
            [
                dict(type="RandomResize", scale=(200, 200), ratio_range=(0.8, 1.3)),
                dict(type="RandomDefectCrop", crop_size=(192, 192), prob=0.5),
                dict(type="RandomBrightnessContrast", brightness=(0.75, 1.3), contrast=(0.75, 1.3)),
            ],
            # At the end images as in testing: what a small net can hold, it keeps for these.
            [dict(type="Resize", scale=img_scale, keep_ratio=False)],
        ],
        ends=[45],
    ),
    # A flip and quarter turns: rolled steel has no top.
    dict(type="RandomRotFlip", rotate_prob=0.0, flip_prob=1.0, degree=(0, 0)),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(type="Resize", scale=img_scale, keep_ratio=False),
    *_base_.test_pipeline[2:],
]

_images = dict(data_root=data_root, metainfo=metainfo, img_suffix=".jpg")
train_dataloader = dict(batch_size=32, dataset=dict(_images, pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, dataset=dict(_images, pipeline=test_pipeline))
# The published split has two sides: the images for testing also serve for validation.
test_dataloader = dict(
    batch_size=16,
    dataset=dict(
        _images, pipeline=test_pipeline, data_prefix=_base_.val_dataloader.dataset.data_prefix
    ),
)
