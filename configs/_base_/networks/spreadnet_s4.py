# SpreadNet S4 with its decoder, the smallest: 0.41 M parameters in training, 0.37 M folded, 3.0
# GMAC at 1024 x 1024.
_base_ = ["./spreadnet.py"]
_channels = (16, 48, 96)
_spreadnet = dict(
    backbone=dict(channels=_channels, depths=(2, 2, 3)),
    decode_head=dict(in_channels=_channels),
)
