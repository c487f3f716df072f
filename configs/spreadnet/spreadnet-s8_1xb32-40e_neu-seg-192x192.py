# The fast net on NEU-Seg, trained for mIoU: on crops nearly as large as the images, so that it sees
# as far in training as in testing, half of them placed at random, and with all classes alike.
_base_ = ["./spreadnet-s8_1xb32-40e_neu-seg-208x208.py"]
_crop = dict(type="RandomDefectCrop", crop_size=(192, 192), prob=0.5)
train_pipeline = [*_base_.train_pipeline[:3], _crop, *_base_.train_pipeline[4:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
_ce, _dice = _base_.neu_seg_loss
_losses = [dict(_ce, class_weight=[1.0, 1.0, 1.0, 1.0]), dict(_dice, loss_weight=1.0)]
model = dict(decode_head=dict(loss_decode=_losses))
