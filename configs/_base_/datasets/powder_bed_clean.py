# Frames of a powder bed of which none shows a defect, without masks: defects are drawn on them.
#
# images/train and images/val below data_root. A region of interest, where the powder lies, is set
# by train_dataloader.dataset.roi and val_dataloader.dataset.roi.
_base_ = ["./powder_bed_crops_512.py"]
train_pipeline = [
    *_base_.train_pipeline[:2],  # loading
    dict(type="DrawDefects", prob=0.25),
    *_base_.train_pipeline[2:5],
    dict(_base_.train_pipeline[5], brightness=(0.5, 1.3)),  # later builds may be darker
    *_base_.train_pipeline[6:],
]
_images = dict(clean=True, img_suffix=[".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"])
train_dataloader = dict(
    dataset=dict(
        _images,
        data_prefix=dict(_delete_=True, img_path="images/train"),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(dataset=dict(_images, data_prefix=dict(_delete_=True, img_path="images/val")))
test_dataloader = val_dataloader
