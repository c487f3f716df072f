"""One line of the benchmark: what is measured, and what came out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lwam_mm.lab.benchmark.latency import Latency


@dataclass(frozen=True)
class Row:
    """What is measured in one process.

    Attributes:
        key: the name that the command line and the targets know it by.
        title: what the reader sees.
        job: see :func:`lwam_mm.lab.benchmark.jobs.prepare`; None if it could not be made.
        parameters: number of them; None if unknown.
        macs: multiply-accumulates of one call; None if unknown.
        files: the model's files.
        ceiling: key of the matrix products that its share of the machine is measured by; None if
            there are none for it.
        miou: mean IoU in percent; None if not measured.
        note: what a reader has to know of it, such as why there is no job.
    """

    key: str
    title: str
    job: dict[str, Any] | None
    parameters: int | None = None
    macs: int | None = None
    files: tuple[Path, ...] = ()
    ceiling: str | None = None
    miou: float | None = None
    note: str = ""

    @property
    def megabytes(self) -> float | None:
        """Size of the model's files in MB (10^6 bytes)."""
        return sum(file.stat().st_size for file in self.files) / 1e6 if self.files else None


@dataclass(frozen=True)
class Result:
    """What was measured of a row. None stands for "not measured".

    Attributes:
        key, title, parameters, macs, miou, ceiling: those of the row.
        megabytes: size of its model's files in MB (10^6 bytes).
        latency: of one call, in milliseconds.
        peak: the most memory that its process held, in MB.
        notes: what a reader has to know, errors among it.
    """

    key: str
    title: str
    parameters: int | None = None
    macs: int | None = None
    miou: float | None = None
    ceiling: str | None = None
    megabytes: float | None = None
    latency: Latency | None = None
    peak: float | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def rate(self) -> float | None:
        """Multiply-accumulates a second, by the median time."""
        if self.macs is None or self.latency is None:
            return None
        return self.macs / (self.latency.p50 / 1000)
