# Magnetic tiles, 256 x 256: real surface defects with the shape of the powder-bed task.
#
# The environment variable LWAM_DATA_ROOT names the folder that holds magnetic_tile/.
# 1056 images to learn from, 288 to judge by, no tile on both sides; seven tenths have no defect.
# Another size: as in powder_bed.py, but train_dataloader.dataset.pipeline[3].scale. With
# num_workers=0, persistent_workers has to be False.
dataset_type = "PowderBedDataset"
data_root = "{{$LWAM_DATA_ROOT:data}}/magnetic_tile"
metainfo = dict(
    classes=["Background", "Blowhole", "Break", "Crack", "Fray", "Uneven"],
    palette=[[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]],
)
img_scale = (256, 256)  # width, height

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadIndexMask"),
    # Blowholes and cracks come with a few tiles each; here they meet other surfaces.
    dict(type="PasteDefect", classes=[1, 3], prob=0.5),
    dict(type="RandomResize", scale=img_scale, ratio_range=(0.8, 1.3), keep_ratio=False),
    # Defects are small and few: a crop shows one wherever there is one.
    dict(type="RandomDefectCrop", crop_size=(128, 128)),
    # A horizontal and a vertical flip with p 0.5 each, independent of one another:
    # a quarter one, a quarter the other, a quarter both.
    dict(
        type="RandomFlip",
        prob=[0.25, 0.25, 0.25],
        direction=["horizontal", "vertical", "diagonal"],
    ),
    # Mild: unevenness is a matter of brightness itself.
    dict(type="RandomBrightnessContrast", brightness=(0.75, 1.3), contrast=(0.75, 1.3)),
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
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="SeededSampler", shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        metainfo=metainfo,
        img_suffix=".jpg",
        oversample_thr=1.0,  # 2103 a pass: one in three without a defect
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
        metainfo=metainfo,
        img_suffix=".jpg",
        data_prefix=dict(img_path="images/val", seg_map_path="masks/val"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader  # the set has two sides only

val_evaluator = dict(type="SegmentationMetric")
test_evaluator = val_evaluator
