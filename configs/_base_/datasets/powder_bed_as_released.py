# powder_bed.py with the released augmentation: the corners that a rotation leaves empty are
# labelled background instead of being ignored.
_base_ = ["./powder_bed.py"]
train_pipeline = [
    dict(step, seg_pad_val=0) if step["type"] == "RandomWholeAngleRotate" else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
