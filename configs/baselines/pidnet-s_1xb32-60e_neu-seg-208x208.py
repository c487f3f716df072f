# PIDNet-S on NEU-Seg, trained like the student. Its head takes one loss for each of its four
# terms: the recipe's cross-entropy replaces that of the mined pixels. The boundary branch learns
# from the masks' edges.
_base_ = ["../_base_/models/pidnet_s.py", "../_base_/neu_seg_60e.py"]
_ce = _base_.neu_seg_loss[0]
_losses = [  # of the detail branch, of the output, of the boundary, of the output at the boundary
    dict(_ce, loss_weight=0.4),
    _ce,
    dict(type="BoundaryLoss", loss_weight=20.0),
    dict(_ce, loss_weight=1.0),  # often no pixel is at a boundary; this loss is then 0
]
model = dict(decode_head=dict(num_classes=4, loss_decode=_losses))
_edge = dict(type="GenerateEdge", edge_width=4)
train_pipeline = [*_base_.train_pipeline[:-1], _edge, _base_.train_pipeline[-1]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
