"""Fold a student, export it, check the export and write a bundle for the machine."""

import argparse
from collections.abc import Sequence

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import run_tool


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="the student's plain config")
    parser.add_argument("checkpoint", help="the student's checkpoint")
    parser.add_argument("--out", required=True, metavar="BUNDLE", help="folder to write")
    parser.add_argument(
        "--dynamic",
        action="store_true",
        help="a model for images of any size, instead of the one size that the config tests at",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a bundle that is there")
    args = parser.parse_args(argv)

    from lwam_mm.deploy.export import export_bundle

    bundle = export_bundle(
        args.config, args.checkpoint, args.out, dynamic=args.dynamic, overwrite=args.overwrite
    )
    difference = bundle.manifest.figures["largest_logit_difference_to_torch"]
    print(f"{bundle.root}: {bundle.manifest.engine}, logits within {difference:.2g} of torch's")
    return 0


if __name__ == "__main__":
    run_tool(main)
