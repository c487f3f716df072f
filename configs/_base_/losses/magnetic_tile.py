# Losses for images that are 97.5 % background: cross-entropy with higher weights for defects, the
# highest for the smallest, and Dice, in which every class of a batch counts the same. The data set
# and its crops already show defects more often than they occur; with the weights that would balance
# the original frequencies, the nets find defects everywhere.
magnetic_tile_loss = [
    dict(
        type="WeightedCrossEntropyLoss",
        # Background, Blowhole, Break, Crack, Fray, Uneven
        class_weight=[0.4, 2.0, 1.5, 2.0, 1.0, 1.0],
    ),
    dict(type="BatchDiceLoss", loss_weight=2.0),
]
