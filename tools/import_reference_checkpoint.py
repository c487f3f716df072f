"""Turn weights under the names of the authors' released code into a checkpoint for our configs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import run_tool
from lwam_mm.models.reference_checkpoint import import_reference_checkpoint


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and convert."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="state dict under released names, .pth or .npz")
    parser.add_argument("target", help="file to write the checkpoint to")
    parser.add_argument("--model", choices=["student", "teacher"], required=True)
    args = parser.parse_args(argv)
    weights = import_reference_checkpoint(args.source, args.target, args.model)
    print(f"{args.target}: {len(weights)} tensors of the {args.model} in {Path(args.source).name}")
    return 0


if __name__ == "__main__":
    run_tool(main)
