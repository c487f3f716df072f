"""Measure the latency of each arm of a study, for the tables of its results."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import run_tool
from lwam_mm.utils.atomic_files import write_atomically


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, measure and write."""
    from mmengine.logging import MMLogger

    from lwam_mm.lab.studies.latency import latency_file
    from lwam_mm.lab.studies.measure_latency import measure
    from lwam_mm.lab.studies.study import read_study

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", help="a study's config file, such as configs/ablations/*.py")
    parser.add_argument("--size", type=int, default=256, help="height and width, px (256)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each network (2)")
    parser.add_argument("--rounds", type=int, default=50, help="calls of each network (50)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("docs/results"),
        metavar="DIR",
        help="folder of the study's CSV, for STUDY_latency.csv (docs/results)",
    )
    args = parser.parse_args(argv)
    if args.size < 32 or args.size % 16:
        parser.error(f"--size {args.size}: use a multiple of 16, 32 or more")
    if args.threads < 1 or args.rounds < 1:
        parser.error("--threads and --rounds must be 1 or more")

    # Each of many configs would log the environment variables that it reads.
    MMLogger.get_current_instance().setLevel("WARNING")
    study = read_study(args.study)
    latencies = measure(
        study,
        size=args.size,
        threads=args.threads,
        rounds=args.rounds,
        progress=lambda line: print(line, flush=True),
    )
    for latency in latencies.arms:
        if latency.ms is not None:
            print(f"{latency.arm}, {latency.precision}: {latency.ms:.2f} ms")
    for note in latencies.notes:
        print(f"note: {note}")
    file = latency_file(args.out / f"{study.name}.csv")
    write_atomically(file, latencies.to_csv().encode())
    print(f"written: {file}")
    return 0


if __name__ == "__main__":
    run_tool(main)
