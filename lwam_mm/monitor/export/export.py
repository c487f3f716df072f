"""Exports a build in one of the formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lwam_mm.monitor.export.csv_files import write_csv
from lwam_mm.monitor.export.dataset import write_dataset
from lwam_mm.monitor.export.exported import Exported, ExportError
from lwam_mm.monitor.export.hdf5 import write_hdf5
from lwam_mm.monitor.export.stl import write_stl
from lwam_mm.monitor.export.vti import write_vti


def export(build: Exported, form: str, out: Path, max_mb: float = 512, side: str = "train") -> str:
    """Write a build in one of the formats, whole or not at all.

    Args:
        build: The build.
        form: ``vti``, ``hdf5``, ``csv``, ``stl`` or ``dataset``.
        out: The file; a folder for ``csv`` and ``dataset``.
        max_mb: Bound on memory and size of ``vti`` and ``stl``, MB (10^6 bytes).
        side: Side of the data set, for ``dataset``.

    Returns:
        What was written, in a sentence.

    Raises:
        ExportError: ``out`` exists, or the build lacks what the format needs.
    """
    if not max_mb > 0:
        raise ExportError(f"--max-mb {max_mb:g}: give more than 0")
    if form != "dataset" and out.exists():
        raise ExportError(f"{out} exists: remove it or give another --out")
    write: dict[str, Callable[[], str]] = {
        "vti": lambda: write_vti(build, out, max_mb),
        "hdf5": lambda: write_hdf5(build, out),
        "csv": lambda: write_csv(build, out),
        "stl": lambda: write_stl(build, out, max_mb),
        "dataset": lambda: write_dataset(build, out, side),
    }
    return write[form]()
