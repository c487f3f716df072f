# Powder-bed layers in the released layout, 1024 x 1024, with the released augmentation.
#
# To use another size, a leaf config changes the pipelines, which are already built here:
#     _base_.train_dataloader.dataset.pipeline[4].scale = (512, 512)
#     _base_.val_dataloader.dataset.pipeline[1].scale = (512, 512)   # likewise test_dataloader
#     _base_.test_pipeline[1].scale = (512, 512)                     # read by MMDeploy
# or with --cfg-options train_dataloader.dataset.pipeline.4.scale="(512,512)" and so on.
dataset_type = "PowderBedDataset"
data_root = "data/powder_bed"
img_scale = (1024, 1024)  # width, height

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadIndexMask"),
    # A horizontal and a vertical flip, independently with p 0.5: one, the other, or both.
    dict(
        type="RandomFlip",
        prob=[0.25, 0.25, 0.25],
        direction=["horizontal", "vertical", "diagonal"],
    ),
    # The empty corners are ignored; seg_pad_val=0 labels them background, as released.
    dict(type="RandomWholeAngleRotate", prob=0.5, angle_range=(-180, 180), seg_pad_val=255),
    dict(type="Resize", scale=img_scale, keep_ratio=False),
    dict(type="RandomBrightnessContrast", brightness=(0.5, 1.4), contrast=(0.6, 2.2)),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="Resize", scale=img_scale, keep_ratio=False),
    # After Resize, so that masks keep their size and metrics are those of the original image.
    dict(type="LoadIndexMask"),
    dict(type="PackSegInputs"),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="SeededSampler", shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path="images/train", seg_map_path="masks/train"),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path="images/val", seg_map_path="masks/val"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path="images/test", seg_map_path="masks/test"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)

val_evaluator = dict(type="SegmentationMetric")
test_evaluator = val_evaluator
