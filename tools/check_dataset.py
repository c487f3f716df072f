"""Check a data set: every problem in one pass, then a summary. Exit status 0 if it is sound.

Examples:
    check_dataset.py data/powder_bed
    check_dataset.py data/tiles --classes 6 --img-suffix .jpg
    check_dataset.py data/mono12 --white-level 4095
    check_dataset.py --config configs/_base_/datasets/magnetic_tile.py
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lwam_mm.datasets.check import check_dataset
from lwam_mm.datasets.classes import CLASSES
from lwam_mm.datasets.layout import checked_white_level
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.datasets.splits import splits_from_config, splits_from_root


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "root", type=Path, nargs="?", help="folder with images/ and masks/; replaces any data_root"
    )
    parser.add_argument(
        "--config",
        type=Path,
        help="take folders, split files, suffixes, classes, white level from it",
    )
    parser.add_argument(
        "--classes", type=int, metavar="N", help="number of classes (default: the released six)"
    )
    parser.add_argument(
        "--img-suffix", nargs="+", metavar="SUFFIX", help="what images end with (default .png)"
    )
    parser.add_argument(
        "--seg-map-suffix", metavar="SUFFIX", help="what masks end with (default .png)"
    )
    parser.add_argument(
        "--white-level",
        type=int,
        metavar="V",
        help="largest value of the camera in 16-bit files, such as 4095 (default 65535)",
    )
    args = parser.parse_args(argv)
    if args.root is None and args.config is None:
        parser.error("name a ROOT folder or a --config")
    if args.config is not None:
        if args.classes or args.img_suffix or args.seg_map_suffix or args.white_level:
            parser.error("--config already says classes, suffixes and white level")
        if not args.config.is_file():
            parser.error(f"{args.config}: no such config")
    if args.classes is not None and not 1 <= args.classes <= 255:
        parser.error("--classes has to be in 1..255")
    return args


def show_progress(done: int, total: int) -> None:
    """Print a line on stderr for every ten per cent."""
    if done * 10 // total != (done - 1) * 10 // total:
        print(f"checked {done} of {total} images", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the check; returns 1 if there is a problem."""
    args = parse_args(argv)
    try:
        if args.config is not None:
            # Imported here: a check without a config needs no OpenMMLab.
            from mmengine.config import Config

            config = Config.fromfile(args.config, import_custom_modules=False)
            specs, class_names = splits_from_config(config, args.root)
        else:
            specs = splits_from_root(
                args.root,
                args.img_suffix or (".png",),
                args.seg_map_suffix or ".png",
                checked_white_level(args.white_level),
            )
            # A number says nothing about names: another data set may have as many classes.
            numbered = tuple(f"class {index}" for index in range(args.classes or 0))
            class_names = numbered or CLASSES
        report = check_dataset(specs, class_names, show_progress)
    except DatasetError as error:
        print(f"PROBLEM {error}")
        return 1
    for problem in report.problems:
        print(f"PROBLEM [{problem.kind}] {problem}")
    for note in report.notes:
        print(f"note: {note}")
    print(report.summary())
    found = len(report.problems)
    print(f"{found} problem{'' if found == 1 else 's'} found." if found else "No problem found.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
