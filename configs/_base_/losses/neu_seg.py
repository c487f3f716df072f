# Losses for NEU-Seg, nine tenths of which are background: cross-entropy with higher weights for the
# two classes of thin or small defects, and Dice, in which every class of a batch counts the same.
neu_seg_loss = [
    dict(
        type="WeightedCrossEntropyLoss",
        # Background, Inclusion, Patches, Scratches
        class_weight=[0.5, 1.5, 1.0, 1.5],
    ),
    dict(type="BatchDiceLoss", loss_weight=2.0),
]
