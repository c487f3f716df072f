"""Measure what INT8 costs trained students, and write it down as a Markdown table."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import add_data_root_argument, load_config, run_tool
from lwam_mm.utils.atomic_files import write_atomically


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, export and write."""
    from lwam_mm.lab.quantization_table import TrainedStudent, quantization_rows, to_markdown

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--student",
        nargs=3,
        action="append",
        required=True,
        metavar=("NAME", "CONFIG", "CHECKPOINT"),
        help="a trained student; may be given several times",
    )
    parser.add_argument("--backend", choices=["openvino", "onnxruntime"], default="openvino")
    parser.add_argument(
        "--tight", type=float, default=0.1, help="mIoU that accuracy control may lose (0.1)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.md")
    add_data_root_argument(parser)
    args = parser.parse_args(argv)

    students = [
        TrainedStudent(name, load_config(config, data_root=args.data_root), Path(checkpoint))
        for name, config, checkpoint in args.student
    ]
    rows = quantization_rows(
        students,
        backend=args.backend,
        tight=args.tight,
        progress=lambda line: print(line, flush=True),
    )
    command = shlex.join(["python", "tools/quantization_table.py", *(argv or sys.argv[1:])])
    page = to_markdown(
        rows,
        title="What INT8 costs",
        facts=[
            f"IoU in percent on all validation images, by bundles of {args.backend} at the size "
            "that the config tests at. Plain INT8 is calibrated on 64 training images; controlled "
            f"INT8 returns layers to float until no more than {args.tight:g} mIoU is lost.",
            "",
            f"Made by `{command}`.",
        ],
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(args.out, page.encode())
    print(page)
    return 0


if __name__ == "__main__":
    run_tool(main)
