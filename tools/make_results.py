"""Write docs/results.md from the CSVs of studies."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import run_tool
from lwam_mm.utils.atomic_files import write_atomically


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and write."""
    from lwam_mm.lab.studies.latency import is_latency_file
    from lwam_mm.lab.studies.report import results_page

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "csv", nargs="*", type=Path, help="CSVs of tools/ablate.py, in order (docs/results/*.csv)"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results.md"), metavar="FILE.md")
    args = parser.parse_args(argv)
    found = args.csv or sorted(Path("docs/results").glob("*.csv"))
    files = [file for file in found if not is_latency_file(file)]
    if not files:
        parser.error("there is no CSV of a study: name some, or tools/ablate.py --out docs/results")
    write_atomically(args.out, results_page(files, args.out).encode())
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    run_tool(main)
