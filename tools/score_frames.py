"""Score frames without masks: what of clean ones is called a defect, and whether streaks show."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import load_config, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, score and print."""
    from lwam_mm.datasets.classes import CLASSES
    from lwam_mm.lab.frame_scores import auroc, score_frames
    from lwam_mm.lab.torch_segmentor import torch_segmentor
    from lwam_mm.runtime.find_images import find_images
    from lwam_mm.runtime.region_of_interest import RegionOfInterest

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="a segmentor's config")
    parser.add_argument("checkpoint", type=Path, help="its weights")
    parser.add_argument("--clean", nargs="+", required=True, help="frames without a defect")
    parser.add_argument("--streaked", nargs="+", default=[], help="frames with streaks")
    parser.add_argument("--roi", help="region of interest: a mask image or a JSON file of polygons")
    args = parser.parse_args(argv)
    segment = torch_segmentor(load_config(args.config), args.checkpoint)
    roi = None if args.roi is None else RegionOfInterest(args.roi)
    streaking = CLASSES.index("Streaking")
    scores = {}
    for kind, inputs in (("clean", args.clean), ("streaked", args.streaked)):
        scores[kind] = score_frames(segment, find_images(inputs).images, streaking, roi)
        for frame in scores[kind]:
            print(
                f"{kind:<8}  {frame.claimed:8.4%} called a defect  streak score "
                f"{frame.streak:.3f}  {frame.path}",
                flush=True,
            )
    claimed = [frame.claimed for frame in scores["clean"]]
    print(f"clean frames: {sum(claimed) / len(claimed):.4%} of the pixels called a defect")
    if scores["streaked"]:
        streaks = [[frame.streak for frame in scores[kind]] for kind in ("clean", "streaked")]
        print(f"streak score, clean against streaked: AUROC {auroc(*streaks):.3f}")
    return 0


if __name__ == "__main__":
    run_tool(main)
