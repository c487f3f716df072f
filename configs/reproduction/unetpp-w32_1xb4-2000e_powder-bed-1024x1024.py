# As in configs/unetpp, with what the released code does differently from good practice: a learning
# rate that swings along a cosine with a half period of 50 epochs; corners that a rotation leaves
# empty taught as background.
_base_ = ["../unetpp/unetpp-w32_1xb4-2000e_powder-bed-1024x1024.py"]
param_scheduler = [
    dict(type="CosineAnnealingLR", T_max=50, eta_min=1e-7, begin=0, end=2000, by_epoch=True)
]
