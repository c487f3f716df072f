"""Write a synthetic powder-bed data set: tools/make_synthetic.py OUT --images N --size S."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lwam_mm.datasets.synthetic import generate_dataset


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description="Draw powder-bed frames with all five defects and their masks. "
        "Equal arguments give equal files."
    )
    parser.add_argument("out", type=Path, help="folder to write; absent or empty")
    parser.add_argument("--images", type=int, default=120, help="number of frames (default: 120)")
    parser.add_argument(
        "--size", type=int, default=1024, help="height and width in px (default: 1024)"
    )
    parser.add_argument("--seed", type=int, default=0, help="0 or more (default: 0)")
    return parser.parse_args(argv)


def show_progress(done: int, total: int, name: str) -> None:
    """Print progress: on a terminal in one line, elsewhere a line for every ten per cent."""
    if sys.stdout.isatty():
        print(f"\r[{done}/{total}] {name}", end="\n" if done == total else "", flush=True)
    elif done == total or done * 10 // total != (done - 1) * 10 // total:
        print(f"[{done}/{total}] {name}", flush=True)


def summary_lines(summary: dict) -> list[str]:
    """Format the images and the share of pixels of each class, one column per split."""
    splits = list(summary["splits"])
    lines = [f"{'':<12}" + "".join(f"{split:>16}" for split in splits)]
    images = "".join(f"{summary['splits'][split]['images']:>16}" for split in splits)
    builds = "".join(f"{len(summary['splits'][split]['builds']):>16}" for split in splits)
    lines += [f"{'images':<12}{images}", f"{'builds':<12}{builds}"]
    for name in summary["classes"]:
        cells = []
        for split in splits:
            share = summary["pixel_share"][split][name]
            shown_in = summary["splits"][split]["images_per_class"][name]
            cells.append(f"{share:>9.3%} in {shown_in:>3}")
        lines.append(f"{name:<12}" + "".join(f"{cell:>16}" for cell in cells))
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return the exit status."""
    args = parse_args(argv)
    try:
        summary = generate_dataset(args.out, args.images, args.size, args.seed, show_progress)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(["", *summary_lines(summary), "", f"Written to {args.out}"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
