"""Show the pipeline on drawn layers, or fit the light net to your own frames."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import run_tool


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work-dir", default="work_dirs/demo", help="folder for all output")
    parser.add_argument(
        "--data", metavar="DIR", help="your own images and masks, {images,masks}/{train,val[,test]}"
    )
    parser.add_argument(
        "--classes", nargs="+", metavar="NAME", help="your classes in index order, background first"
    )
    parser.add_argument(
        "--iterations",
        type=int,
        metavar="N",
        help="iterations of each training, 2 or more (what fits)",
    )
    parser.add_argument(
        "--roi",
        type=Path,
        metavar="FILE",
        help="where the powder lies in your frames: polygons in JSON, or a mask image",
    )
    args = parser.parse_args(argv)
    if args.iterations is not None and args.iterations < 2:
        parser.error(f"--iterations {args.iterations}: give 2 or more")

    from lwam_mm.lab.demo.pipeline import Demo

    Demo(args.work_dir, args.data, args.classes, args.iterations, args.roi).run()
    return 0


if __name__ == "__main__":
    run_tool(main)
