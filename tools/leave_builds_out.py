"""Train a net once for each build without it, and count the regions it finds in that build."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import run_tool


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, train, count and print."""
    from lwam_mm.lab.leave_builds_out import leave_builds_out, read_builds
    from lwam_mm.utils.atomic_files import write_atomically

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="a segmentor's config; all frames in one folder")
    parser.add_argument("builds", type=Path, help="text file with FRAME BUILD in each line")
    parser.add_argument("--only", nargs="+", metavar="BUILD", help="leave out only these")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/leave_builds_out"))
    parser.add_argument("--out", type=Path, help="write the table there, in Markdown")
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="for every training"
    )
    args = parser.parse_args(argv)
    counts = leave_builds_out(
        args.config,
        read_builds(args.builds),
        args.work_dir,
        args.cfg_options,
        lambda line: print(line, flush=True),
        args.only,
    )
    table = f"{counts.table()}\n\n{counts.probability_table()}"
    if counts.clean_frames:
        claimed = sum(counts.claimed) / counts.clean_frames
        table += f"\n\nClean frames: {claimed:.3%} of the pixels called a defect."
    print(f"\nall builds together, {counts.frames} frames:\n{table}")
    if args.out:
        write_atomically(args.out, f"{table}\n".encode())
    return 0


if __name__ == "__main__":
    run_tool(main)
