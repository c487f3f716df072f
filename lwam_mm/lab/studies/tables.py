"""The tables of a study's results, and the statistics of a few seeds in them."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from lwam_mm.lab.pages.table import MISSING, format_amount, format_parameters, markdown_table
from lwam_mm.lab.studies.latency import PRECISIONS, StudyLatencies
from lwam_mm.lab.studies.results import RunResult

_CLASS = "IoU."


class Summary(NamedTuple):
    """The mean of one arm's figures and their sample standard deviation, None for one seed."""

    mean: float
    spread: float | None

    def __str__(self) -> str:
        """Return such as "1.30 ± 0.52"."""
        return f"{self.mean:.2f}" + ("" if self.spread is None else f" ± {self.spread:.2f}")


class Difference(NamedTuple):
    """The mean difference of two arms and half of its 95 % t-interval, None for one seed."""

    mean: float
    half_width: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.half_width is not None and abs(self.mean) > self.half_width

    def __str__(self) -> str:
        """Return such as "+1.30 ± 0.52 *", with the star if the interval excludes 0."""
        interval = "" if self.half_width is None else f" ± {self.half_width:.2f}"
        return f"{self.mean:+.2f}{interval}" + " *" * self.is_clear


def summarize(values: Iterable[float]) -> Summary | None:
    """Summarize an arm's figures; None if there are none."""
    values = list(values)
    if not values:
        return None
    return Summary(float(np.mean(values)), float(np.std(values, ddof=1)) if values[1:] else None)


def paired_difference(
    values: Mapping[int, float], reference: Mapping[int, float]
) -> Difference | None:
    """Compare two arms' figures by seed; None if they have no seed in common.

    Example:
        >>> d = paired_difference({0: 3.0, 1: 5.0, 2: 4.0}, {0: 2.0, 1: 3.0, 2: 1.0})
        >>> d.mean, round(d.half_width, 3)
        (2.0, 2.484)
    """
    seeds = [seed for seed in values if seed in reference]
    if not seeds:
        return None
    pairs = [values[seed] for seed in seeds], [reference[seed] for seed in seeds]
    mean = float(np.mean(np.subtract(*pairs)))
    if len(seeds) == 1:
        return Difference(mean, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # equal differences
        low, high = stats.ttest_rel(*pairs).confidence_interval(0.95)
    return Difference(mean, float(high - low) / 2)


class StudyTables:
    """A study's results by arm, and their tables in Markdown.

    Arms without a result are left out. Differences refer to the arm ``compare_with``; the first of
    the ``metrics`` is the main one.
    """

    def __init__(
        self,
        results: Sequence[RunResult],
        arms: Sequence[str],
        compare_with: str,
        metrics: Sequence[str],
        latencies: StudyLatencies | None = None,
    ) -> None:
        by_arm = {arm: [result for result in results if result.arm == arm] for arm in arms}
        self.by_arm = {arm: runs for arm, runs in by_arm.items() if runs}
        self.compare_with = compare_with
        self.metrics = tuple(metrics)
        self.latencies = latencies
        names = dict.fromkeys(name for result in results for name in result.metrics)
        self.classes = [name.removeprefix(_CLASS) for name in names if name.startswith(_CLASS)]

    def values(self, arm: str, metric: str) -> dict[int, float]:
        """Return an arm's figure by seed, for the seeds where it is defined."""
        runs = self.by_arm.get(arm, [])
        return {run.seed: run.metrics[metric] for run in runs if metric in run.metrics}

    def main(self) -> str:
        """Return the table of the main figure with its differences, and how each was made."""
        main = self.metrics[0]
        latencies = [] if self.latencies is None else ["ms", "ms INT8"]
        headings = [
            "arm", main, f"minus {self.compare_with}", "seeds", "parameters", *latencies, "minutes",
            "config", "commit", "command",
        ]  # fmt: skip
        rows = []
        for arm, runs in self.by_arm.items():
            difference = paired_difference(
                self.values(arm, main), self.values(self.compare_with, main)
            )
            seconds = summarize(run.facts["seconds"] for run in runs if run.facts["seconds"])
            seeds = [str(run.seed) for run in runs]
            command = ["python", "tools/ablate.py", str(runs[0].facts["study"])]
            command += ["--arms", arm, "--seeds", *seeds]
            rows.append(
                [
                    arm,
                    self._figure(arm, main),
                    MISSING if arm == self.compare_with or not difference else str(difference),
                    ", ".join(seeds),
                    format_parameters(runs[0].facts["parameters"]),
                    *(format_amount(self.latencies.ms(arm, p)) for p in PRECISIONS if latencies),
                    format_amount(seconds and seconds.mean / 60),
                    _unique(run.facts["config"] for run in runs),
                    _unique(run.facts["commit"] for run in runs),
                    f"`{shlex.join(command)}`",
                ]
            )
        return markdown_table(headings, rows, left=("config", "commit", "command"))

    def others(self) -> str:
        """Return the table of the other figures, mean and spread."""
        return self._figures("arm", self.metrics[1:])

    def by_class(self) -> str:
        """Return the table of each class's IoU, mean and spread."""
        return self._figures("IoU of", self.classes, _CLASS)

    def _figures(self, corner: str, columns: Sequence[str], prefix: str = "") -> str:
        rows = [[arm, *(self._figure(arm, prefix + c) for c in columns)] for arm in self.by_arm]
        return markdown_table([corner, *columns], rows)

    def _figure(self, arm: str, metric: str) -> str:
        return str(summarize(self.values(arm, metric).values()) or MISSING)


def _unique(values: Iterable[object]) -> str:
    return ", ".join(f"`{value}`" for value in dict.fromkeys(values))
