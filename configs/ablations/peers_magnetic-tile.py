# SpreadNet and five light nets of MMSegmentation beside the student, from random weights, with the
# same images and schedule and, where their heads allow, the same losses.
_base_ = ["./_base_/magnetic_tile.py"]
title = "Peers"
arms = {
    "lwrnet": dict(study=_base_._claim, arm="student"),
    "lwrnet-distilled": dict(study=_base_._claim, arm="all"),
    "spreadnet-s8": dict(config="../spreadnet/spreadnet-s8_1xb8-8e_magnetic-tile-256x256.py"),
    "fast-scnn": dict(config="../baselines/fast_scnn_1xb8-8e_magnetic-tile-256x256.py"),
    "bisenetv2": dict(config="../baselines/bisenetv2_1xb8-8e_magnetic-tile-256x256.py"),
    "stdc1": dict(config="../baselines/stdc1_1xb8-8e_magnetic-tile-256x256.py"),
    "pidnet-s": dict(config="../baselines/pidnet-s_1xb8-8e_magnetic-tile-256x256.py"),
    "segformer-b0": dict(config="../baselines/segformer_mit-b0_1xb8-8e_magnetic-tile-256x256.py"),
}
compare_with = "lwrnet"
