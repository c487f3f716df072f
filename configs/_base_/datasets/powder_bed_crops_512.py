# Whole powder-bed frames of real cameras: trained on crops of 512, tested on the whole frame.
#
# In the released layout below data_root. Frames are resized to fit img_scale and then by 0.8 to
# 1.25; give the size of your camera's frames. A frame is tested at its own size.
_base_ = ["./powder_bed.py"]
img_scale = (1280, 1024)  # width, height

train_pipeline = [
    *_base_.train_pipeline[:2],  # loading
    dict(type="RandomResize", scale=img_scale, ratio_range=(0.8, 1.25), keep_ratio=True),
    # Three crops in ten lie anywhere, so that walls and plate edges are seen too.
    dict(type="RandomDefectCrop", crop_size=(512, 512), prob=0.7),
    _base_.train_pipeline[2],  # flips
    # Mild: a streak differs from powder by a few per cent.
    dict(type="RandomBrightnessContrast", brightness=(0.75, 1.3), contrast=(0.75, 1.3)),
    dict(type="PackSegInputs"),
]
test_pipeline = [_base_.test_pipeline[0], *_base_.test_pipeline[2:]]

train_dataloader = dict(sampler=dict(infinite=True), dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

val_evaluator = [dict(type="SegmentationMetric"), dict(type="RegionMetric", min_area=30)]
test_evaluator = val_evaluator
