"""A study's tables in Markdown."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from lwam_mm.lab.pages.table import format_amount, format_parameters
from lwam_mm.lab.studies.latency import PRECISIONS, Latencies
from lwam_mm.lab.studies.statistics import Difference, paired_difference, summarize
from lwam_mm.lab.studies.study_results import Result

_MISSING = "-"
_CLASS = "IoU."


class Table:
    """A study's results, arranged by arm.

    Args:
        results: the finished runs of one study.
        arms: the arms in the order to show them; those without a result are left out.
        compare_with: the arm that differences are taken to.
        metrics: figures to show, the main one first.
        latencies: the arms' times; None where none were measured.
    """

    def __init__(
        self,
        results: Sequence[Result],
        arms: Sequence[str],
        compare_with: str,
        metrics: Sequence[str],
        latencies: Latencies | None = None,
    ) -> None:
        self.by_arm = {
            arm: found for arm in arms if (found := [r for r in results if r.arm == arm])
        }
        self.compare_with = compare_with
        self.metrics = tuple(metrics)
        self.latencies = latencies
        self.classes = list(
            dict.fromkeys(
                name.removeprefix(_CLASS)
                for result in results
                for name in result.metrics
                if name.startswith(_CLASS)
            )
        )

    def values(self, arm: str, metric: str) -> dict[int, float]:
        """Give an arm's figure by seed, for the seeds where it is defined."""
        runs = self.by_arm.get(arm, [])
        return {run.seed: run.metrics[metric] for run in runs if metric in run.metrics}

    def difference(self, arm: str, metric: str) -> Difference | None:
        """Give an arm's difference to the arm to compare with; None for that arm itself."""
        if arm == self.compare_with:
            return None
        return paired_difference(self.values(arm, metric), self.values(self.compare_with, metric))

    def main(self) -> str:
        """Write the main figure with its differences, and what each row was made with."""
        main = self.metrics[0]
        times = [] if self.latencies is None else ["ms", "ms INT8"]
        headings = [
            "arm", main, f"less {self.compare_with}", "seeds", "parameters", *times, "minutes",
            "config", "commit", "command",
        ]  # fmt: skip
        rows = []
        for arm, runs in self.by_arm.items():
            seconds = summarize([run.facts["seconds"] for run in runs if run.facts["seconds"]])
            seeds = ", ".join(str(run.seed) for run in runs)
            rows.append(
                [
                    arm,
                    self._figure(arm, main),
                    format_difference(self.difference(arm, main)),
                    seeds,
                    format_parameters(runs[0].facts["parameters"]),
                    *self._times(arm),
                    format_amount(seconds and seconds.mean / 60),
                    _several(run.facts["config"] for run in runs),
                    _several(run.facts["commit"] for run in runs),
                    _code(_command(runs)),
                ]
            )
        return markdown_table(headings, rows, texts=("config", "commit", "command"))

    def others(self) -> str:
        """Write the other figures, mean and spread."""
        metrics = self.metrics[1:]
        rows = [[arm, *(self._figure(arm, metric) for metric in metrics)] for arm in self.by_arm]
        return markdown_table(["arm", *metrics], rows)

    def by_class(self) -> str:
        """Write the IoU of each class, mean and spread."""
        rows = [
            [arm, *(self._figure(arm, _CLASS + name) for name in self.classes)]
            for arm in self.by_arm
        ]
        return markdown_table(["IoU of", *self.classes], rows)

    def _times(self, arm: str) -> list[str]:
        if self.latencies is None:
            return []
        return [format_amount(self.latencies.ms(arm, precision)) for precision in PRECISIONS]

    def _figure(self, arm: str, metric: str) -> str:
        summary = summarize(list(self.values(arm, metric).values()))
        if summary is None:
            return _MISSING
        if summary.spread is None:
            return f"{summary.mean:.2f}"
        return f"{summary.mean:.2f} ± {summary.spread:.2f}"


def explanation(results: Sequence[Result], compare_with: str) -> str:
    """Say how the figures are to be read."""
    read_at = {
        "last": "Figures are those of the last checkpoint, which no validation chose.",
        "best": "Figures are those of the checkpoint that was best by validation; where the same "
        "images judge, they are flattered by that choice.",
    }[str(results[0].facts["read_at"])]
    return (
        f"{read_at} The nets are folded, students taken out of their distillation; IoU and recall "
        "in percent, false regions a number an image. Mean ± sample standard deviation over "
        "seeds; one seed shows no spread. Differences are to "
        f"{compare_with}, paired by seed, with their 95 % t-interval; * marks those whose "
        "interval leaves 0 out. Parameters are those of the folded net without auxiliary heads. "
        "Minutes are those of one training. A + behind a commit: files differed from it."
    )


def latency_explanation(latencies: Latencies) -> str:
    """Say what the times are of and where they were measured, and why some are missing."""
    setting = latencies.setting
    calls = max((figure.calls or 0 for figure in latencies.figures), default=0)
    text = (
        f"ms is the median time of one image of {setting.size}x{setting.size} pixels, from a "
        f"normalised tensor to logits at full size, in {setting.engine}, float32, with "
        f"{setting.threads} thread(s) of {setting.processor}; ms INT8 that of the same net "
        "quantized as NNCF does by default, while all other figures are those of the float net. "
        f"Nets took turns, one call each a round, {calls} calls at most; those whose exported "
        "graphs are equal were measured once. Weights were drawn at random, on which the time "
        f"does not depend. Measured on {setting.date} by {_code(setting.command)}."
    )
    notes = "\n".join(f"- {note}" for note in latencies.notes)
    return f"{text}\n\n{notes}".strip()


def study_page(
    title: str,
    table: Table,
    results: Sequence[Result],
    *,
    pictures: Mapping[str, str],
    notes: Sequence[str] = (),
    level: int = 1,
) -> str:
    """Write a study's part of a page.

    Args:
        title: heading.
        table: its results.
        results: the finished runs.
        pictures: files by what they show, relative to the page.
        notes: lines on what is missing.
        level: level of the heading.
    """
    parts = [f"{'#' * level} {title}"]
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    if table.by_arm:
        parts.append(explanation(results, table.compare_with))
        if table.latencies is not None:
            parts.append(latency_explanation(table.latencies))
        parts.append(table.main())
        if table.metrics[1:]:
            parts.append(table.others())
        if table.classes:
            parts.append(table.by_class())
        parts += [f"![{what}]({file})" for what, file in pictures.items()]
    else:
        parts.append("No run is finished.")
    return "\n\n".join(parts) + "\n"


def format_difference(difference: Difference | None) -> str:
    """Write a difference with its interval: "+1.30 ± 0.52 *"."""
    if difference is None:
        return _MISSING
    if difference.half_width is None:
        return f"{difference.mean:+.2f}"
    mark = " *" if difference.is_clear else ""
    return f"{difference.mean:+.2f} ± {difference.half_width:.2f}{mark}"


def markdown_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[str] = ()
) -> str:
    """Write a table; the first column and those in ``texts`` are flush left."""
    rules = [
        "---" if index == 0 or heading in texts else "---:"
        for index, heading in enumerate(headings)
    ]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
        for line in (headings, rules, *rows)
    )


def _command(runs: Sequence[Result]) -> str:
    first = runs[0].facts
    seeds = [str(run.seed) for run in runs]
    return shlex.join(
        ["python", "tools/ablate.py", str(first["study"]), "--arms", runs[0].arm, "--seeds", *seeds]
    )


def _several(values: Sequence[object]) -> str:
    return ", ".join(_code(str(value)) for value in dict.fromkeys(values))


def _code(text: str) -> str:
    return f"`{text}`"
