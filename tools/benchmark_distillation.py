"""Compare a distillation's step with MMRazor's own: speed, losses, memory."""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import load_config, run_tool
from lwam_mm.utils.paths import configs_folder

_CONFIG = "distill/kd-unetpp-w32_lwrnet-w64_1xb8-2000e_powder-bed-1024x1024.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, measure and print."""
    from lwam_mm.lab.benchmark.candidates import check_figures, check_keys
    from lwam_mm.lab.benchmark.distillation import (
        ROWS,
        DistillationSettings,
        run_distillation_benchmark,
    )
    from lwam_mm.utils.atomic_files import write_atomically

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", nargs="?", help=f"a distillation's config ({_CONFIG})")
    parser.add_argument("--size", type=int, default=256, help="height and width, px (256)")
    parser.add_argument("--batch", type=int, default=4, help="images a batch (4)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each row (2)")
    parser.add_argument("--rounds", type=int, default=40, help="rounds that count (40)")
    parser.add_argument(
        "--rows", nargs="+", metavar="ROW", default=list(ROWS), help=f"all or some of {list(ROWS)}"
    )
    parser.add_argument(
        "--data-steps",
        type=int,
        default=12,
        help="steps over which waiting for data is measured; 0 skips it (12)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the page there")
    args = parser.parse_args(argv)
    check_keys(args.rows, ROWS, "--rows")
    check_figures(parser, args)
    if args.data_steps == 1 or args.data_steps < 0:
        parser.error(f"--data-steps {args.data_steps}: must be at least 2, or 0 to skip it")

    settings = DistillationSettings(
        config=load_config(args.config or configs_folder() / _CONFIG),
        size=args.size,
        batch=args.batch,
        threads=args.threads,
        rounds=args.rounds,
        rows=tuple(dict.fromkeys(args.rows)),
        data_steps=args.data_steps,
    )
    page = run_distillation_benchmark(settings, functools.partial(print, flush=True)).markdown()
    print(page)
    if args.out:
        write_atomically(args.out, page.encode())
        print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    run_tool(main)
