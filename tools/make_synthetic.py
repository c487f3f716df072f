"""Draw powder-bed frames with all five defects and their masks; equal arguments, equal files."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lwam_mm.datasets.synthetic import generate_dataset


def show_progress(done: int, total: int, name: str) -> None:
    """Print progress: on a terminal in one line, elsewhere a line for every ten per cent."""
    if sys.stdout.isatty():
        print(f"\r[{done}/{total}] {name}", end="\n" if done == total else "", flush=True)
    elif done * 10 // total != (done - 1) * 10 // total:
        print(f"[{done}/{total}] {name}", flush=True)


def summary_lines(summary: dict) -> list[str]:
    """Format the images and the share of pixels of each class, one column per split."""
    splits, shares = summary["splits"], summary["pixel_share"]
    rows = [["", *splits]]
    rows.append(["images", *(split["images"] for split in splits.values())])
    rows.append(["builds", *(len(split["builds"]) for split in splits.values())])
    for name in summary["classes"]:
        shown = {split: splits[split]["images_per_class"][name] for split in splits}
        rows.append([name, *(f"{shares[s][name]:>9.3%} in {shown[s]:>3}" for s in splits)])
    return [f"{name:<12}" + "".join(f"{cell:>16}" for cell in cells) for name, *cells in rows]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write; absent or empty")
    parser.add_argument("--images", type=int, default=120, help="number of frames (%(default)s)")
    parser.add_argument("--size", type=int, default=1024, help="height and width, px (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="0 or more (%(default)s)")
    parser.add_argument(
        "--varied",
        action="store_true",
        help="as a camera in the chamber sees them: askew, with walls, reflections and stains",
    )
    args = parser.parse_args(argv)
    try:
        summary = generate_dataset(
            args.out, args.images, args.size, args.seed, show_progress, varied=args.varied
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(["", *summary_lines(summary), "", f"Written to {args.out}"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
