# SpreadNet S20 with its decoder, which starts at half the image's size: 1.62 M parameters in
# training, 1.50 M folded, 20.7 GMAC at 1024 x 1024.
_base_ = ["./spreadnet.py"]
_channels = (32, 64, 128, 192)
_spreadnet = dict(
    backbone=dict(unshuffle=2, channels=_channels, depths=(1, 2, 2, 2)),
    decode_head=dict(unshuffle=2, in_channels=_channels),
)
