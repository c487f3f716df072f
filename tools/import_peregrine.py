"""Turn a build in Peregrine's HDF5 layout, with its results, into training data."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lwam_mm.utils.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path, help="the HDF5 file")
    parser.add_argument("data", type=Path, help="folder of the data set; further builds may follow")
    parser.add_argument(
        "--split", choices=["train", "val", "test"], default="train", help="(train)"
    )
    parser.add_argument(
        "--class",
        dest="classes",
        nargs="+",
        default=[],
        metavar="THEIRS=OURS",
        help="classes whose names are not Peregrine's usual ones",
    )
    parser.add_argument(
        "--step", choices=["recoated", "exposed"], default="recoated", help="(recoated)"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th layer (1)")
    args = parser.parse_args(argv)
    chosen = dict(pair.rpartition("=")[::2] for pair in args.classes)
    if "" in chosen or args.every < 1:
        parser.error("--class takes THEIRS=OURS, and --every a number of 1 or more")
    try:
        from lwam_mm.monitor.export.peregrine_dataset import write_peregrine_dataset

        count = write_peregrine_dataset(
            args.build, args.data, args.split, chosen, args.step, args.every, print
        )
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"error: {error}: pip install 'lwam-mm[monitor]'", file=sys.stderr)
        return 2
    print(f"wrote {count} layers to {args.data}: look at them, then tools/check_dataset.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
