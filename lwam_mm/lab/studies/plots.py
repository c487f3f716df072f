"""The pictures of a study: each seed with the mean, and IoU by class."""

from __future__ import annotations

import io

import matplotlib
from matplotlib.figure import Figure

from lwam_mm.lab.studies.tables import StudyTables, summarize


def draw_seeds(tables: StudyTables) -> bytes:
    """Draw the main figure of each seed as a dot and each arm's mean as a line, as PNG."""
    metric, arms = tables.metrics[0], list(tables.by_arm)
    figure, axes = _axes(len(arms))
    for row, arm in enumerate(arms):
        values = tables.values(arm, metric)
        axes.plot(list(values.values()), [row] * len(values), "o", color="tab:blue", alpha=0.6)
        if values:
            mean = summarize(values.values()).mean
            axes.plot([mean, mean], [row - 0.3, row + 0.3], color="black", linewidth=2)
            axes.annotate(
                f"{mean:.2f}", (mean, row - 0.32), ha="center", va="bottom", fontsize="small"
            )
    axes.set_yticks(range(len(arms)), arms)
    axes.set_ylim(len(arms) - 0.5, -0.7)
    axes.set_xlabel(f"{metric}, each seed a dot, the mean a line")
    return _png(figure)


def draw_classes(tables: StudyTables) -> bytes:
    """Draw the mean IoU of each class, one marker for each arm, as PNG."""
    figure, axes = _axes(len(tables.classes), legend=True)
    colours = matplotlib.colormaps["tab20"].colors
    for index, arm in enumerate(tables.by_arm):
        points = [
            (summary.mean, row)
            for row, name in enumerate(tables.classes)
            if (summary := summarize(tables.values(arm, f"IoU.{name}").values()))
        ]
        if points:
            axes.plot(
                *zip(*points, strict=True),
                marker="osD^v"[index // len(colours) % 5],
                linestyle="",
                color=colours[index % len(colours)],
                label=arm,
            )
    axes.set_yticks(range(len(tables.classes)), tables.classes)
    axes.set_ylim(len(tables.classes) - 0.5, -0.5)
    axes.set_xlabel("IoU in %, mean over seeds")
    figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    return _png(figure)


def _axes(rows: int, legend: bool = False) -> tuple[Figure, matplotlib.axes.Axes]:
    figure = Figure(figsize=(9 if legend else 7, 1.2 + 0.5 * rows), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.3, axis="x")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    # Without version and date, the same results make the same file.
    figure.savefig(data, format="png", dpi=120, metadata={"Software": None})
    return data.getvalue()
