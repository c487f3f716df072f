"""Latencies of a study's arms, as a CSV beside the study's own."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from lwam_mm.lab.studies.results import csv_text
from lwam_mm.lab.studies.study import Study, StudyError

PRECISIONS = ("float32", "int8")
"""The precisions that each arm's network is measured in, as bundles name them."""

_SUFFIX = "_latency.csv"


@dataclass(frozen=True)
class ArmLatency:
    """The latency of one arm's network in one precision; None stands for "not measured"."""

    arm: str  # in the study that is reported
    precision: str  # one of PRECISIONS
    ms: float | None  # median time of one image, in milliseconds
    p95_ms: float | None  # 95th percentile of the times
    calls: int | None
    macs: int | None  # multiply-accumulates of one image
    note: str  # the reason why there is no time; empty if there is one
    engine: str  # name and version
    size: int  # height and width of the image in pixels
    threads: int
    processor: str
    versions: str  # of the packages that take part
    date: str
    command: str  # repeats the measurement


_COLUMNS = tuple(ArmLatency.__dataclass_fields__)
_SETTING = _COLUMNS[_COLUMNS.index("engine") :]
_AMOUNTS = dict(ms=float, p95_ms=float, calls=int, macs=int)
_KINDS = dict(size=int, threads=int, **_AMOUNTS)


@dataclass(frozen=True)
class StudyLatencies:
    """The latencies of a study's arms, measured side by side: one for each arm and precision."""

    arms: tuple[ArmLatency, ...]

    def ms(self, arm: str, precision: str) -> float | None:
        """Return an arm's median time in milliseconds; None if it was not measured."""
        found = (a.ms for a in self.arms if (a.arm, a.precision) == (arm, precision))
        return next(found, None)

    @property
    def notes(self) -> list[str]:
        """The notes of the arms, one line each."""
        return [f"{a.arm}, {a.precision}: {a.note}" for a in self.arms if a.note]

    def to_csv(self) -> str:
        """Return a CSV of one row an arm and precision; empty cells stand for "not measured"."""
        return csv_text(_COLUMNS, map(asdict, self.arms))


def latency_file(study_csv: Path) -> Path:
    """Return the file of the latencies that belongs to a study's CSV."""
    return study_csv.with_name(study_csv.stem + _SUFFIX)


def is_latency_file(path: Path) -> bool:
    """Return whether a file's name is that of latencies."""
    return path.name.endswith(_SUFFIX)


def read_latencies(study_csv: Path, study: Study) -> StudyLatencies | None:
    """Read the latencies beside a study's CSV, which need not exist yet; None if there are none.

    Raises:
        StudyError: If the file is damaged, or has arms that the study does not have.
    """
    path = latency_file(study_csv)
    if not path.is_file():
        return None
    remedy = (
        f"measure again with python tools/measure_latency.py {study.path} --out {path.parent}, or "
        "remove the file"
    )
    try:
        latencies = _parse(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, csv.Error) as error:
        raise StudyError(f"{path}: is damaged ({error}); {remedy}") from error
    if unknown := {latency.arm for latency in latencies.arms} - set(study.arms):
        raise StudyError(
            f"{path}: has latencies of {', '.join(sorted(unknown))}, which {study.path} does not "
            f"have; {remedy}"
        )
    return latencies


def _parse(text: str) -> StudyLatencies:
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        raise ValueError("there is no row")
    if missing := set(_COLUMNS) - rows[0].keys():
        raise ValueError(f"there is no column {', '.join(sorted(missing))}")
    if len({tuple(row[name] for name in _SETTING) for row in rows}) > 1:
        raise ValueError("its rows were not measured together, or the last is cut off")
    arms = tuple(ArmLatency(**{name: _value(name, row[name]) for name in _COLUMNS}) for row in rows)
    keys = {(latency.arm, latency.precision) for latency in arms}
    if len(keys) < len(arms):
        raise ValueError("an arm is there twice")
    if unknown := {precision for _, precision in keys} - set(PRECISIONS):
        raise ValueError(f"precision {', '.join(unknown)}; known are {PRECISIONS}")
    return StudyLatencies(arms)


def _value(column: str, text: str) -> object:
    if column in _AMOUNTS and text == "":
        return None
    value = _KINDS.get(column, str)(text)
    if column in _AMOUNTS and not 0 <= value < math.inf:
        raise ValueError(f"{text} is no amount")
    return value
