"""Evaluate a checkpoint on the config's test set."""

import argparse
import os
from collections.abc import Sequence

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import (
    add_common_arguments,
    evaluate,
    load_config,
    run_tool,
    show_predictions,
    write_metrics,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("checkpoint", help="checkpoint file")
    parser.add_argument("--fold", action="store_true", help="fold the student before testing it")
    parser.add_argument("--out", metavar="METRICS.json", help="file to write the metrics to")
    parser.add_argument("--show-dir", help="folder for pictures of the predictions")
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
    if args.show_dir:
        show_predictions(config, args.show_dir)
    metrics = evaluate(config, args.checkpoint, fold=args.fold)
    if args.out:
        write_metrics(
            args.out, metrics, config=args.config, checkpoint=args.checkpoint, folded=args.fold
        )
    return 0


if __name__ == "__main__":
    run_tool(main)
