# Losses of the demo. Background covers more than nine tenths of a layer, and hopping and streaking
# are thin. Order: Background, Super, Incomplete, Hopping, Streaking, Lattice.
_student_loss = dict(type="WeightedCrossEntropyLoss", class_weight=[0.3, 1.0, 1.0, 5.0, 3.0, 1.0])
_teacher_loss = dict(type="WeightedCrossEntropyLoss", class_weight=[0.3, 1.0, 1.0, 2.0, 2.0, 1.0])
# Less than the paper's 4 and 2: in so short a training the student would not learn rare hopping.
_distill_losses = dict(loss_feature=dict(loss_weight=1.0), loss_dist=dict(loss_weight=1.0))
