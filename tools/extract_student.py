"""Turn a distillation's checkpoint into the plain student's."""

import argparse
from collections.abc import Sequence

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.distill.extract_student import extract_student
from lwam_mm.engine.launch import add_accept_mismatch_argument, load_config, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and extract."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="checkpoint of a distillation")
    parser.add_argument("target", help="file to write the student's checkpoint to")
    parser.add_argument("--config", help="the student's plain config, to compare the training with")
    add_accept_mismatch_argument(parser)
    args = parser.parse_args(argv)
    student = extract_student(
        args.source,
        args.target,
        config=load_config(args.config) if args.config else None,
        accept_mismatch=args.accept_mismatch,
    )
    print(f"{args.target}: {len(student)} tensors of the student")
    return 0


if __name__ == "__main__":
    run_tool(main)
