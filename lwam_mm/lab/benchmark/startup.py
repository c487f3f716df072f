"""What a fresh process takes: time to import, time to the first prediction, memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from lwam_mm.lab.benchmark.reason import reason
from lwam_mm.lab.benchmark.turns import Worker
from lwam_mm.runtime import Bundle

_IMPORTS = 5
_CALLS = 5
_IMPORT = (
    "import time; start = time.perf_counter(); import lwam_mm.runtime; "
    "print(time.perf_counter() - start)"
)


@dataclass(frozen=True)
class StartUp:
    """A fresh process that predicts image files with a bundle.

    Attributes:
        title: what the reader sees.
        first_ever: seconds from before the import of the engine to the first class map, where the
            bundle was never loaded before.
        start: the same in the next process, which finds whatever the first one left in a cache.
        later: seconds of a prediction after that, the median.
        peak: the most memory that the process held, in MB; None if unknown.
    """

    title: str
    first_ever: float
    start: float
    later: float
    peak: float | None


def import_seconds() -> float:
    """Return the seconds that ``import lwam_mm.runtime`` takes; the median of fresh processes."""
    return median(
        float(subprocess.check_output([sys.executable, "-c", _IMPORT])) for _ in range(_IMPORTS)
    )


def start_up(title: str, bundle: Bundle, picture: Path, threads: int) -> StartUp:
    """Start a predictor in two fresh processes, one after the other.

    Raises:
        lwam_mm.lab.benchmark.turns.WorkerError: it failed.
    """
    job = dict(name="file_to_map", bundle=str(bundle.root), picture=str(picture), threads=threads)
    seconds, later, peak = [], [], None
    for _ in range(2):
        worker = Worker(job, threads)
        try:
            seconds.append((worker.load + worker.first) / 1000)
            later = [worker.run() / 1000 for _ in range(_CALLS)]
            peak = worker.peak_memory()
        finally:
            worker.close()
    return StartUp(title, seconds[0], seconds[1], median(later), peak)


def figures_of(
    starts: dict[str, Callable[[], StartUp]], progress: Callable[[str], None]
) -> tuple[dict[str, StartUp], dict[str, str]]:
    """Measure start-ups one after the other.

    Args:
        starts: by key.
        progress: called with one line of text at each.

    Returns:
        What was measured by key, and by key why the others were not.
    """
    found: dict[str, StartUp] = {}
    failed: dict[str, str] = {}
    for key, start in starts.items():
        progress(f"start-up: {key}")
        try:
            found[key] = start()
        except Exception as error:
            failed[key] = reason(error)
    return found, failed
