# Losses for crops of real powder beds on which defects are drawn, so that none is rare:
# cross-entropy and Dice, with all classes alike.
polito_frames_loss = [
    dict(type="WeightedCrossEntropyLoss", class_weight=[1.0] * 6),
    dict(type="BatchDiceLoss", loss_weight=1.0),
]
