"""Results of finished runs: read from their folders, written as CSV, read from CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lwam_mm.lab.studies.study_plan import Run
from lwam_mm.utils.errors import UserError

_FACTS = (
    "study", "arm", "seed", "config", "commit", "lwam_mm", "command", "read_at", "checkpoint",
    "best_epoch", "seconds", "pieces", "parameters",
)  # fmt: skip
_NUMBERS = {"seed": int, "best_epoch": int, "pieces": int, "parameters": int, "seconds": float}


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        facts: study, arm, seed, config, commit, command and so on; None where not known.
        metrics: figures of the final evaluation by name.
    """

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


def collect(runs: Iterable[Run], study: str) -> list[Result]:
    """Read the results of the runs that are finished.

    Args:
        runs: the runs of a study.
        study: what the results call the study; shared runs count to the one that reports them.
    """
    results = []
    for run in runs:
        if run.result_file.is_file():
            found = json.loads(run.result_file.read_text())
            found |= dict(study=study, arm=run.arm.name)
            results.append(Result({key: found[key] for key in _FACTS}, found["metrics"]))
    return results


def to_csv(results: Sequence[Result]) -> str:
    """Write one row a run, figures unrounded; empty cells stand for "not known"."""
    metrics = list(dict.fromkeys(name for result in results for name in result.metrics))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_FACTS, *metrics])
    for result in results:
        figures = [result.metrics.get(name) for name in metrics]
        writer.writerow([*(result.facts[key] for key in _FACTS), *figures])
    return text.getvalue()


def read_csv(path: str | Path) -> list[Result]:
    """Read what :func:`to_csv` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is no such CSV, or it has no row.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; tools/ablate.py writes it")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not set(_FACTS) <= rows[0].keys():
        raise UserError(
            f"{path}: is no CSV of a study, or has no row; tools/ablate.py STUDY.py --report "
            "writes one from what is finished"
        )
    results = []
    for row in rows:
        facts = {
            key: _NUMBERS.get(key, str)(row[key]) if row[key] != "" else None for key in _FACTS
        }
        metrics = {k: float(v) for k, v in row.items() if k not in _FACTS and v != ""}
        results.append(Result(facts, metrics))
    return results
