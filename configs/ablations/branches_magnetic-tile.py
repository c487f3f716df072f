# What the branches that folding takes away again are worth in training, on the student alone.
#
# python tools/ablate.py configs/ablations/branches_magnetic-tile.py --jobs 2 --resume
# The format is told in lwam_mm/lab/studies/__init__.py.
title = "Branches of the student's blocks"
base = "../lwrnet/lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"


def _blocks(**options):
    return {
        f"model.{part}.{key}": value
        for part in ("backbone", "decode_head")
        for key, value in options.items()
    }


arms = {
    "3x3": dict(overrides=_blocks(with_1x1=False, with_identity=False)),
    "3x3+1x1": dict(overrides=_blocks(with_identity=False)),
    "3x3+identity": dict(overrides=_blocks(with_1x1=False)),
    "3x3+1x1+identity": dict(study="claim_magnetic-tile.py", arm="student"),
    "qarepconv": dict(overrides=_blocks(block="QARepConv")),
}
seeds = [0]
compare_with = "3x3"
amp = True
