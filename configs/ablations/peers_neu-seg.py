# Which light net segments best within one budget: SpreadNet, the paper's student at a quarter of
# its width, and five of MMSegmentation's nets, from random weights, with the same images and
# schedule and, where their heads allow, the same losses.
title = "Light nets on NEU-Seg"
base = "../spreadnet/spreadnet-s8_1xb32-60e_neu-seg-208x208.py"
seeds = [0, 1, 2]
amp = True
arms = {
    "spreadnet-s8": dict(config=base),
    "lwrnet-w16": dict(config="../lwrnet/lwrnet-w16_1xb32-60e_neu-seg-208x208.py"),
    "spreadnet-s20": dict(config="../spreadnet/spreadnet-s20_1xb32-60e_neu-seg-208x208.py"),
    "spreadnet-s4": dict(config="../spreadnet/spreadnet-s4_1xb32-60e_neu-seg-208x208.py"),
    "pidnet-s": dict(config="../baselines/pidnet-s_1xb32-60e_neu-seg-208x208.py"),
    "stdc1": dict(config="../baselines/stdc1_1xb32-60e_neu-seg-208x208.py"),
    "fast-scnn": dict(config="../baselines/fast_scnn_1xb32-60e_neu-seg-208x208.py"),
    "bisenetv2": dict(config="../baselines/bisenetv2_1xb32-60e_neu-seg-208x208.py"),
    "segformer-b0": dict(config="../baselines/segformer_mit-b0_1xb32-60e_neu-seg-208x208.py"),
}
compare_with = "spreadnet-s8"
