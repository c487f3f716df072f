"""Run the layer monitor on thousands of drawn layers: latency, memory, size of the record, page."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from lwam_mm.utils.atomic_files import write_atomically


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, run, print and write the figures."""
    from lwam_mm.lab.monitor_page_time import page_seconds
    from lwam_mm.lab.monitor_soak import soak
    from lwam_mm.monitor.record.store import Record

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="bundle for images of any size")
    parser.add_argument("--layers", type=int, default=10_000, help="number of layers (10,000)")
    parser.add_argument("--size", type=int, default=1024, help="of a layer, px (1024)")
    parser.add_argument("--threads", type=int, default=1, help="of the engine (1)")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/monitor_soak"))
    parser.add_argument("--out", type=Path, help="write the tables there, in Markdown")
    args = parser.parse_args(argv)
    shutil.rmtree(args.work_dir, ignore_errors=True)
    result = soak(args.bundle, args.work_dir, args.layers, args.size, args.threads, _say)
    text = result.table()
    seconds = page_seconds(Record(args.work_dir / "record"))
    text += "\n\nPage with all of them: "
    if seconds is None:
        text += "not measured, there is no browser."
    else:
        text += f"strip and charts after {seconds[0]:.2f} s, the 3-D map after {seconds[1]:.2f} s."
    print(text)
    if args.out is not None:
        write_atomically(args.out, f"{text}\n".encode())
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
