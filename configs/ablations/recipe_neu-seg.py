# How SpreadNet S8 is trained best on NEU-Seg: as in the comparison with its peers, or on crops of
# 192 in place of 128, half of them placed at random, and with all classes alike in the losses; then
# also with quarter turns, and half as long again.
title = "Recipes on NEU-Seg"
seeds = [0, 1, 2]
arms = {
    "crops-128_weighted": dict(study="peers_neu-seg.py", arm="spreadnet-s8"),
    "crops-192_even": dict(config="../spreadnet/spreadnet-s8_1xb32-40e_neu-seg-192x192.py"),
    "turns_60e": dict(config="../spreadnet/spreadnet-s8_1xb32-60e_neu-seg-192x192.py"),
}
compare_with = "crops-128_weighted"
