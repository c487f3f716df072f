# The teacher of the fast net on NEU-Seg: S20, 1.5 times as wide.
_base_ = ["./spreadnet-s20_1xb32-60e_neu-seg-208x208.py"]
_channels = (48, 96, 192, 288)
model = dict(backbone=dict(channels=_channels), decode_head=dict(in_channels=_channels))
