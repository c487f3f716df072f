"""Results of finished runs: read from their folders, written as CSV, read from CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lwam_mm.lab.studies.run import Run
from lwam_mm.lab.studies.study import StudyError

_NUMBERS = dict(seed=int, best_epoch=int, pieces=int, parameters=int, seconds=float)
_FACTS = {
    name: _NUMBERS.get(name, str)
    for name in (
        "study", "arm", "seed", "config", "commit", "lwam_mm", "command", "read_at", "checkpoint",
        "best_epoch", "seconds", "pieces", "parameters",
    )
}  # fmt: skip
"""The type of each column that is no metric."""


@dataclass(frozen=True)
class RunResult:
    """The result of a finished run: facts, None if unknown, and figures of the evaluation."""

    facts: dict[str, object]
    metrics: dict[str, float]

    @property
    def arm(self) -> str:
        """Name of the arm in the study that is reported."""
        return str(self.facts["arm"])

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.facts["seed"])


def collect(runs: Iterable[Run], study: str) -> list[RunResult]:
    """Read the results of the finished runs, for a study that may share runs of another one."""
    results = []
    for run in runs:
        if run.result_file.is_file():
            found = json.loads(run.result_file.read_text())
            found |= dict(study=study, arm=run.arm.name)
            results.append(RunResult({key: found[key] for key in _FACTS}, found["metrics"]))
    return results


def to_csv(results: Sequence[RunResult]) -> str:
    """Return a CSV of one row a run, figures unrounded; empty cells stand for "unknown"."""
    metrics = dict.fromkeys(name for result in results for name in result.metrics)
    return csv_text([*_FACTS, *metrics], [result.facts | result.metrics for result in results])


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows as CSV; what a row does not have is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_csv(path: str | Path) -> list[RunResult]:
    """Read a CSV of :func:`to_csv`.

    Raises:
        FileNotFoundError: If there is no such file.
        StudyError: If it is no such CSV, or has no row.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; tools/ablate.py writes it")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not _FACTS.keys() <= rows[0].keys():
        raise StudyError(
            f"{path}: is no CSV of a study, or has no row; tools/ablate.py STUDY.py --report "
            "writes one from what is finished"
        )
    return [
        RunResult(
            {key: kind(row[key]) if row[key] != "" else None for key, kind in _FACTS.items()},
            {key: float(v) for key, v in row.items() if key not in _FACTS and v != ""},
        )
        for row in rows
    ]
