"""Fold a student, export it, pass it through the gate and write a bundle for the machine."""

import argparse
from collections.abc import Sequence

from mmengine.config import DictAction

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import add_data_root_argument, load_config, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and export."""
    from lwam_mm.deploy.deploy_config import BACKENDS, default_backend
    from lwam_mm.deploy.exporter import export_bundle

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="the student's plain config")
    parser.add_argument("checkpoint", help="the student's checkpoint")
    parser.add_argument("--out", required=True, metavar="BUNDLE", help="folder to write")
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        help=f"inference engine of the bundle (default here: {default_backend()})",
    )
    parser.add_argument(
        "--dynamic",
        action="store_true",
        help="a model for images of any size, instead of the one size that the config tests at",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="quantize to 8 bits, as far as the gate's limits allow; calibrated on training images",
    )
    parser.add_argument(
        "--deploy-config",
        metavar="FILE",
        help="a deploy config of your own, for example with other limits, instead of --backend "
        "and --dynamic",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing bundle")
    add_data_root_argument(parser)
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        metavar="KEY=VALUE",
        help="override settings of the student's config, as in its training",
    )
    args = parser.parse_args(argv)
    if args.deploy_config and (args.backend or args.dynamic):
        parser.error("--deploy-config replaces --backend and --dynamic: give one or the other")

    bundle = export_bundle(
        load_config(args.config, data_root=args.data_root, options=args.cfg_options),
        args.checkpoint,
        args.out,
        backend=args.backend,
        dynamic=args.dynamic,
        int8=args.int8,
        deploy_config=load_config(args.deploy_config) if args.deploy_config else None,
        overwrite=args.overwrite,
        progress=lambda line: print(line, flush=True),
    )
    print(f"{bundle.root}: {bundle.manifest.precision} for {bundle.manifest.engine}")
    return 0


if __name__ == "__main__":
    run_tool(main)
