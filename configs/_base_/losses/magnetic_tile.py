# What nine tenths of background need: cross-entropy with weights that fall with the root of a
# class's share of the pixels, and Dice, in which every class of a batch counts the same.
magnetic_tile_loss = [
    dict(
        type="WeightedCrossEntropyLoss",
        # Background, Blowhole, Break, Crack, Fray, Uneven: 91, 0.03, 0.8, 0.06, 2.0, 6.1 % of
        # the pixels of the training images.
        class_weight=[0.1, 5.0, 1.0, 4.0, 0.7, 0.4],
    ),
    dict(type="BatchDiceLoss"),
]
