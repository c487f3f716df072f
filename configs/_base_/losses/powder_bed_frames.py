# Losses for crops of real powder beds: cross-entropy with higher weights for holes and streaks, a
# few pixels wide, and Dice, in which every class of a batch counts the same.
powder_bed_frames_loss = [
    dict(
        type="WeightedCrossEntropyLoss",
        # Background, Super, Incomplete, Hopping, Streaking, Lattice
        class_weight=[0.4, 1.0, 2.0, 1.0, 2.0, 1.0],
    ),
    dict(type="BatchDiceLoss", loss_weight=2.0),
]
