"""Show what a model does wrong: worst images, confusion, precision and recall on one HTML page."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import add_data_root_argument, load_config, run_tool
from lwam_mm.lab.inspection.show_errors import show_errors


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file of a segmentor or of a distillation")
    parser.add_argument("checkpoint", type=Path, help="checkpoint file")
    parser.add_argument(
        "--teacher",
        nargs=2,
        metavar=("CONFIG", "CHECKPOINT"),
        help="a teacher to show beside it; a distillation's own is shown without this",
    )
    parser.add_argument("--out", type=Path, default=Path("errors.html"), metavar="ERRORS.html")
    parser.add_argument(
        "--worst", type=int, default=20, metavar="N", help="number of images to show (20)"
    )
    parser.add_argument("--fold", action="store_true", help="fold the student first")
    add_data_root_argument(parser)
    args = parser.parse_args(argv)
    if args.worst < 0:
        parser.error("--worst has to be 0 or more")

    teacher = None
    if args.teacher:
        teacher = load_config(args.teacher[0]), Path(args.teacher[1])
    show_errors(
        load_config(args.config, data_root=args.data_root),
        args.checkpoint,
        args.out,
        teacher=teacher,
        worst=args.worst,
        fold=args.fold,
        command=shlex.join(["python", "tools/show_errors.py", *(argv or sys.argv[1:])]),
        progress=lambda done, total: (
            print(f"{done} of {total} images", file=sys.stderr)
            if done % 50 == 0 or done == total
            else None
        ),
    )
    print(args.out)
    return 0


if __name__ == "__main__":
    run_tool(main)
