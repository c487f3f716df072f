"""Train or distil a segmentor as its config says."""

import argparse
import os
from collections.abc import Sequence

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import (
    add_common_arguments,
    enable_amp,
    enable_tensorboard,
    load_config,
    run_tool,
    train,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="resume from the newest checkpoint in the work dir",
    )
    parser.add_argument("--amp", action="store_true", help="train in automatic mixed precision")
    parser.add_argument(
        "--tensorboard", action="store_true", help="also write scalars for TensorBoard"
    )
    add_common_arguments(parser)
    args = parser.parse_args(argv)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))

    config = load_config(
        args.config,
        work_dir=args.work_dir,
        data_root=args.data_root,
        options=args.cfg_options,
        launcher=args.launcher,
        accept_mismatch=args.accept_mismatch,
    )
    if args.amp:
        enable_amp(config)
    if args.tensorboard:
        enable_tensorboard(config)
    config.resume = args.resume
    train(config)
    return 0


if __name__ == "__main__":
    run_tool(main)
