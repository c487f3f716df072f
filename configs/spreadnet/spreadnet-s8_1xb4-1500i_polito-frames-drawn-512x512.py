# The fast net on real powder-bed frames, from the net that comes with the package. Half of the
# crops are of drawn layers (see ../_base_/datasets/powder_bed_drawn.py), so that it keeps what no
# real frame of the training shows.
_base_ = ["./spreadnet-s8_1xb4-1500i_polito-frames-512x512.py"]
load_from = "lwam_mm::powder-bed-drawn"
_resize = dict(_base_.train_pipeline[2], scale=(768, 768))
_drawn = dict(
    type="PowderBedDataset",
    data_root="data/powder_bed_drawn",
    data_prefix=dict(img_path="images/train", seg_map_path="masks/train"),
    pipeline=[*_base_.train_pipeline[:2], _resize, *_base_.train_pipeline[3:]],
)
train_dataloader = dict(dataset=dict(type="RehearsingDataset", rehearsal=_drawn))
