# A longer recipe of the magnetic tiles: crops nearly as large as the images, half of them anywhere,
# and losses that treat all classes alike, so that nets mark less where nothing is.
_base_ = ["./datasets/magnetic_tile.py", "./schedules/schedule_20e.py", "./default_runtime.py"]
magnetic_tile_loss = [
    dict(type="WeightedCrossEntropyLoss", class_weight=[1.0] * 6),
    dict(type="BatchDiceLoss", loss_weight=1.0),
]
train_dataloader = dict(batch_size=16)
_base_.train_dataloader.dataset.pipeline[4].update(crop_size=(224, 224), prob=0.5)
