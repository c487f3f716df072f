"""Draw what augmentation does: training images with their masks, and views of each, as one PNG."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import add_data_root_argument, load_config, run_tool
from lwam_mm.lab.inspection.show_dataset import show_dataset


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file of a training")
    parser.add_argument("--images", type=int, default=6, metavar="N", help="rows (6)")
    parser.add_argument(
        "--views", type=int, default=5, metavar="K", help="augmented views of each image (5)"
    )
    parser.add_argument("--out", type=Path, default=Path("sheet.png"), metavar="SHEET.png")
    parser.add_argument("--seed", type=int, default=0, help="another draw (0)")
    add_data_root_argument(parser)
    args = parser.parse_args(argv)
    if args.images < 1 or args.views < 0:
        parser.error("--images has to be 1 or more, --views 0 or more")

    config = load_config(args.config, data_root=args.data_root)
    shown = show_dataset(config, args.out, images=args.images, views=args.views, seed=args.seed)
    print(f"{args.out}: {shown} images, {args.views} views each")
    return 0


if __name__ == "__main__":
    run_tool(main)
