# MMSegmentation's light nets beside ours, from random weights, on the same images, with the same
# schedule and, where their heads allow, the same losses.
#
# python tools/ablate.py configs/ablations/peers_magnetic-tile.py --jobs 2 --resume
# The format is told in lwam_mm/lab/studies/__init__.py.
title = "Peers"
_claim = "claim_magnetic-tile.py"
arms = {
    "lwrnet": dict(study=_claim, arm="student"),
    "lwrnet-distilled": dict(study=_claim, arm="all"),
    "fast-scnn": dict(config="../baselines/fast_scnn_1xb8-8e_magnetic-tile-256x256.py"),
    "bisenetv2": dict(config="../baselines/bisenetv2_1xb8-8e_magnetic-tile-256x256.py"),
    "stdc1": dict(config="../baselines/stdc1_1xb8-8e_magnetic-tile-256x256.py"),
    "pidnet-s": dict(config="../baselines/pidnet-s_1xb8-8e_magnetic-tile-256x256.py"),
    "segformer-b0": dict(config="../baselines/segformer_mit-b0_1xb8-8e_magnetic-tile-256x256.py"),
}
seeds = [0]
compare_with = "lwrnet"
amp = True
