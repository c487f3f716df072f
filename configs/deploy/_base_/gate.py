# What tools/deploy.py requires of a bundle: each stage is compared with the one before it on images
# of the validation set.
gate = dict(
    images=100,  # at most, evenly spaced over the set
    # How far the trained net's mIoU may be below that of the validation in its training.
    remembered_miou=5.0,
    limits=dict(
        folded=dict(logits=1e-4),  # relative where a logit is above 1
        exported=dict(logits=1e-3, agreement=99.99),  # per cent of the pixels
        int8=dict(miou=0.5, class_iou=2.0),  # per cent of mIoU, and of any class's IoU
    ),
)
quantization = dict(images=64)  # of the training set, for tools/deploy.py --int8
