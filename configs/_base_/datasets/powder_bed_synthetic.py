# Layers drawn by tools/make_synthetic.py, in the released layout, for the demo and for tests.
#
# Without the released rotation: streaks lie along recoating and hopping across it, so a turned
# layer has other labels. Another size: as in powder_bed.py, but
# train_dataloader.dataset.pipeline[3].scale. With num_workers=0, persistent_workers has to be
# False.
dataset_type = "PowderBedDataset"
data_root = "data/powder_bed_synthetic"
img_scale = (96, 96)  # width, height

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadIndexMask"),
    # A horizontal and a vertical flip with p 0.5 each, independent of one another:
    # a quarter one, a quarter the other, a quarter both.
    dict(
        type="RandomFlip",
        prob=[0.25, 0.25, 0.25],
        direction=["horizontal", "vertical", "diagonal"],
    ),
    dict(type="Resize", scale=img_scale, keep_ratio=False),
    dict(type="RandomBrightnessContrast", brightness=(0.8, 1.2), contrast=(0.8, 1.25)),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="Resize", scale=img_scale, keep_ratio=False),
    # Behind Resize: masks stay as they are, so that metrics are those of the image's own size.
    dict(type="LoadIndexMask"),
    dict(type="PackSegInputs"),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    # For training by iterations: no pause between one pass over the images and the next.
    sampler=dict(type="SeededSampler", shuffle=True, infinite=True),
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
