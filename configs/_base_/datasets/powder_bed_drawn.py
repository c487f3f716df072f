# Layers drawn by `tools/make_synthetic.py DATA --varied --size 768`: as a camera in the process
# chamber sees them. They teach a net what powder beds look like, before it sees real frames.
_base_ = ["./powder_bed_crops_512.py"]
data_root = "data/powder_bed_drawn"
_drawn = dict(data_root=data_root)
train_dataloader = dict(dataset=_drawn)
val_dataloader = dict(dataset=_drawn)
test_dataloader = dict(dataset=_drawn)
_base_.train_dataloader.dataset.pipeline[2].scale = (768, 768)
