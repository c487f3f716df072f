# What 97.5 % of background need: cross-entropy in which defects weigh more, the smallest most, and
# Dice, in which every class of a batch counts the same. Data set and crops show defects more often
# than they are; weights as steep as without that find them everywhere.
magnetic_tile_loss = [
    dict(
        type="WeightedCrossEntropyLoss",
        # Background, Blowhole, Break, Crack, Fray, Uneven
        class_weight=[0.4, 2.0, 1.5, 2.0, 1.0, 1.0],
    ),
    dict(type="BatchDiceLoss", loss_weight=2.0),
]
