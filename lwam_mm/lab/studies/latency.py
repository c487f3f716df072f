"""Times of a study's arms: written as CSV beside the study's own, read from there."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from lwam_mm.lab.studies.study import Study
from lwam_mm.utils.errors import UserError

PRECISIONS = ("float32", "int8")
"""What each arm's network is measured in, as bundles call it."""

_SUFFIX = "_latency.csv"


class LatencyFileError(UserError):
    """A CSV of times is damaged, or of another study."""


@dataclass(frozen=True)
class Figure:
    """The time of one arm's network in one precision. None stands for "not measured".

    Attributes:
        arm: the arm's name in the study that is reported.
        precision: one of :data:`PRECISIONS`.
        ms: median time of one image in milliseconds.
        p95_ms: what 95 % of the calls did not exceed, in milliseconds.
        calls: how many there were.
        macs: multiply-accumulates of one image.
        note: why there is no time; empty if there is one.
    """

    arm: str
    precision: str
    ms: float | None = None
    p95_ms: float | None = None
    calls: int | None = None
    macs: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Setting:
    """What the times are worth nothing without.

    Attributes:
        engine: name and version of what computed.
        size: height and width of the image in pixels.
        threads: how many the engine had.
        processor: its name.
        versions: of all that takes part.
        date: the day.
        command: what measures the same again.
    """

    engine: str
    size: int
    threads: int
    processor: str
    versions: str
    date: str
    command: str


@dataclass(frozen=True)
class Latencies:
    """The times of a study's arms, measured side by side.

    Attributes:
        setting: where and how.
        figures: one for each arm and precision.
    """

    setting: Setting
    figures: tuple[Figure, ...]

    def ms(self, arm: str, precision: str) -> float | None:
        """Give an arm's median time in milliseconds; None if it was not measured."""
        found = (f.ms for f in self.figures if (f.arm, f.precision) == (arm, precision))
        return next(found, None)

    @property
    def notes(self) -> list[str]:
        """What there is to say of single figures, one line each."""
        return [f"{f.arm}, {f.precision}: {f.note}" for f in self.figures if f.note]


def latency_file(study_csv: Path) -> Path:
    """Name the file of the times that belongs to a study's CSV."""
    return study_csv.with_name(study_csv.stem + _SUFFIX)


def is_latency_file(path: Path) -> bool:
    """Tell a file of times from a study's CSV by its name."""
    return path.name.endswith(_SUFFIX)


def to_csv(latencies: Latencies) -> str:
    """Write one row a figure, unrounded; empty cells stand for "not measured"."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_names(Figure), *_names(Setting)], lineterminator="\n")
    writer.writeheader()
    setting = asdict(latencies.setting)
    writer.writerows(asdict(figure) | setting for figure in latencies.figures)
    return text.getvalue()


def read_latencies(study_csv: Path, study: Study) -> Latencies | None:
    """Read the times that lie beside a study's CSV.

    Args:
        study_csv: the study's CSV, which need not be there yet.
        study: the study, whose arms they have to be of.

    Returns:
        What :func:`to_csv` wrote; None where there is no such file.

    Raises:
        LatencyFileError: the file is damaged, or has arms that the study does not have.
    """
    path = latency_file(study_csv)
    if not path.is_file():
        return None
    remedy = (
        f"measure anew with python tools/measure_latency.py {study.path} --out {path.parent}, or "
        "remove the file"
    )
    try:
        latencies = _parse(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, csv.Error) as error:
        raise LatencyFileError(f"{path}: is damaged ({error}); {remedy}") from error
    unknown = {figure.arm for figure in latencies.figures} - set(study.arms)
    if unknown:
        raise LatencyFileError(
            f"{path}: has times of {', '.join(sorted(unknown))}, which {study.path} does not "
            f"have; {remedy}"
        )
    return latencies


def _parse(text: str) -> Latencies:
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        raise ValueError("there is no row")
    missing = {*_names(Figure), *_names(Setting)} - rows[0].keys()
    if missing:
        raise ValueError(f"there is no column {', '.join(sorted(missing))}")
    if len({tuple(row[name] for name in _names(Setting)) for row in rows}) > 1:
        raise ValueError("its rows were not measured together, or the last is cut off")
    figures = [
        Figure(
            arm=row["arm"],
            precision=row["precision"],
            ms=_number(float, row["ms"]),
            p95_ms=_number(float, row["p95_ms"]),
            calls=_number(int, row["calls"]),
            macs=_number(int, row["macs"]),
            note=row["note"],
        )
        for row in rows
    ]
    named = {(figure.arm, figure.precision) for figure in figures}
    if len(named) < len(figures):
        raise ValueError("an arm is there twice")
    if unknown := {precision for _, precision in named} - set(PRECISIONS):
        raise ValueError(f"precision {', '.join(sorted(unknown))}; there are {PRECISIONS}")
    said = {name: rows[0][name] for name in _names(Setting)}
    numbers = dict(size=int(said["size"]), threads=int(said["threads"]))
    return Latencies(Setting(**(said | numbers)), tuple(figures))


def _number(kind: Callable[[str], float], text: str) -> float | None:
    if text == "":
        return None
    value = kind(text)
    if not 0 <= value < math.inf:
        raise ValueError(f"{text} is no amount")
    return value


def _names(kind: type) -> Sequence[str]:
    return [field.name for field in fields(kind)]
