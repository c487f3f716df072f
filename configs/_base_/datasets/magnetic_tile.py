# Magnetic tiles, 256 x 256: real surface defects, with classes as unequal as those of powder beds.
#
# The environment variable LWAM_DATA_ROOT names the folder that holds magnetic_tile/. 1056 images
# for training and 288 for validation, no tile on both sides; seven tenths of them have no defect.
# For another size see powder_bed.py; here it is train_dataloader.dataset.pipeline[3].scale.
_base_ = ["./powder_bed.py"]
data_root = "{{$LWAM_DATA_ROOT:data}}/magnetic_tile"
metainfo = dict(
    classes=["Background", "Blowhole", "Break", "Crack", "Fray", "Uneven"],
    palette=[[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]],
)
img_scale = (256, 256)  # width, height

train_pipeline = [
    dict(type="LoadCheckedImage"),
    dict(type="LoadIndexMask"),
    # Only few tiles have blowholes and cracks; here these are pasted onto other surfaces.
    dict(type="PasteDefect", classes=[1, 3], prob=0.5),
    dict(type="RandomResize", scale=img_scale, ratio_range=(0.8, 1.3), keep_ratio=False),
    # Defects are small and rare: the crop shows one wherever there is one.
    dict(type="RandomDefectCrop", crop_size=(128, 128)),
    _base_.train_pipeline[2],  # flips
    # Mild, since unevenness is itself a matter of brightness.
    dict(type="RandomBrightnessContrast", brightness=(0.75, 1.3), contrast=(0.75, 1.3)),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(type="Resize", scale=img_scale, keep_ratio=False),
    *_base_.test_pipeline[2:],
]

_images = dict(data_root=data_root, metainfo=metainfo, img_suffix=".jpg")
train_dataloader = dict(
    batch_size=8,
    # oversample_thr: 2103 images a pass, one in three without a defect.
    dataset=dict(_images, oversample_thr=1.0, pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(_images, pipeline=test_pipeline))
# The data set has no test images, so the validation images also serve for testing.
test_dataloader = dict(
    dataset=dict(
        _images, pipeline=test_pipeline, data_prefix=_base_.val_dataloader.dataset.data_prefix
    )
)
