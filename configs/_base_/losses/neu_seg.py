# Losses for NEU-Seg: cross-entropy, and Dice, in which every class of a batch counts the same, as
# nine tenths of the pixels are background.
neu_seg_loss = [
    dict(type="WeightedCrossEntropyLoss", class_weight=[1.0, 1.0, 1.0, 1.0]),
    dict(type="BatchDiceLoss", loss_weight=1.0),
]
