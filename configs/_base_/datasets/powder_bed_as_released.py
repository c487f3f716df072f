# powder_bed.py with the released augmentation as it is: the corners that a rotation leaves empty
# are taught as background instead of being ignored.
_base_ = ["./powder_bed.py"]

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadIndexMask"),
    dict(
        type="RandomFlip",
        prob=[0.25, 0.25, 0.25],
        direction=["horizontal", "vertical", "diagonal"],
    ),
    dict(type="RandomWholeAngleRotate", prob=0.5, angle_range=(-180, 180), seg_pad_val=0),
    dict(type="Resize", scale=(1024, 1024), keep_ratio=False),
    dict(type="RandomBrightnessContrast", brightness=(0.5, 1.4), contrast=(0.6, 2.2)),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
