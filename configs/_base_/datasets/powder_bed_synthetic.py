# Layers drawn by tools/make_synthetic.py, in the released layout, for the demo and for tests.
#
# Without the released rotation: streaks lie along recoating and hopping across it, so a rotated
# layer would need other labels. For another size see powder_bed.py; here it is
# train_dataloader.dataset.pipeline[3].scale.
_base_ = ["./powder_bed.py"]
data_root = "data/powder_bed_synthetic"
img_scale = (96, 96)  # width, height

_resize = dict(type="Resize", scale=img_scale, keep_ratio=False)
train_pipeline = [
    *_base_.train_pipeline[:3],  # loading and flips
    _resize,
    dict(type="RandomBrightnessContrast", brightness=(0.8, 1.2), contrast=(0.8, 1.25)),
    dict(type="PackSegInputs"),
]
test_pipeline = [_base_.test_pipeline[0], _resize, *_base_.test_pipeline[2:]]

train_dataloader = dict(
    # For training by iterations: no pause between one pass over the images and the next.
    sampler=dict(infinite=True),
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
