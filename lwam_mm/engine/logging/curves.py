"""Read the logged scalars of a run and draw them as one picture."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lwam_mm.utils.atomic_files import write_atomically

Points = dict[str, list[tuple[float, float]]]
"""Lines by name, each a list of (iteration, value)."""


_STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 110,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
}


@dataclass(frozen=True)
class ScalarFile:
    """A file of scalars that mmengine's LocalVisBackend wrote, and how to read it.

    Attributes:
        path: The file: JSON lines, one logged row each.
        validation_unit: How many iterations one unit of a validation row's ``step`` stands for: 1
            if steps are iterations, the length of an epoch if they are epochs. None if that is
            unknown (epochs of an iteration-based loop); the row then belongs to the iteration of
            the last training row before it.
        until: The last iteration to read, from which a later run resumed; None reads all.
    """

    path: Path
    validation_unit: int | None = 1
    until: int | None = None


@dataclass
class Curves:
    """The lines to draw.

    Attributes:
        losses: Training losses by their names in the log.
        metrics: Validation mIoU in percent; with a distillation also ``teacher.mIoU``.
        class_iou: Validation IoU in percent by class name.
        learning_rates: Learning rates, one line per optimizer.
        problems: Sentences for the log about what could not be read.
    """

    losses: Points = field(default_factory=dict)
    metrics: Points = field(default_factory=dict)
    class_iou: Points = field(default_factory=dict)
    learning_rates: Points = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.losses or self.metrics or self.class_iou or self.learning_rates)


def read_curves(files: Sequence[ScalarFile]) -> Curves:
    """Read the scalars of a run and of the runs that it resumed from, oldest first.

    Missing files and lines that are not JSON (a killed process may leave half a line) are listed
    in ``problems``; the rest is read.
    """
    curves = Curves()
    for file in files:
        if not file.path.is_file():
            curves.problems.append(f"{file.path} is missing: its part of the curves is not drawn.")
            continue
        iteration = 0.0
        with file.path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    row = {_without_stage(key): value for key, value in json.loads(line).items()}
                except (json.JSONDecodeError, AttributeError):
                    problem = f"{file.path}, line {number} is not a JSON object: {line!r}"
                    curves.problems.append(problem)
                    continue
                is_training = "iter" in row
                iteration = row.get("iter", iteration)
                in_step = not is_training and file.validation_unit is not None
                at = row.get("step", 0) * file.validation_unit if in_step else iteration
                if file.until is None or at <= file.until:
                    for key, value in row.items():
                        _add(curves, key, (at, value), is_training)
    return curves


def draw_curves(curves: Curves, path: Path, title: str = "") -> None:
    """Draw losses, validation IoU and learning rate over the iterations, one panel each.

    A panel without points is left out. The file is written atomically.

    Args:
        curves: The lines to draw.
        path: The PNG file to write.
        title: A line above the picture.

    Raises:
        ValueError: There is nothing to draw.
        OSError: The file cannot be written.
    """
    panels = {
        _draw_losses: (3.2, curves.losses),
        _draw_metrics: (3.2, curves.metrics or curves.class_iou),
        _draw_learning_rates: (1.8, curves.learning_rates),
    }
    heights = {draw: height for draw, (height, points) in panels.items() if points}
    if not heights:
        raise ValueError(f"{path}: nothing was logged, so there are no curves to draw.")
    with matplotlib.rc_context(_STYLE):
        # Not pyplot, which keeps each figure in memory and changes the backend of the process.
        figure = Figure(figsize=(10, sum(heights.values()) + 0.6), layout="constrained")
        figure.suptitle(title, fontsize=11)
        axes = figure.subplots(len(heights), sharex=True, height_ratios=[*heights.values()])
        for axis, draw in zip(np.atleast_1d(axes), heights, strict=True):
            draw(axis, curves)
            if axis.get_legend_handles_labels()[1]:
                axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
        axis.set_xlabel("iteration")
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
    write_atomically(path, picture.getvalue())


def _without_stage(key: str) -> str:
    """Remove the stage that ``LogProcessor(log_with_hierarchy=True)`` puts before a key."""
    return key.removeprefix("train/").removeprefix("val/")


def _add(curves: Curves, key: str, point: tuple[float, float], is_training: bool) -> None:
    if is_training:
        if "loss" in key:
            curves.losses.setdefault(key, []).append(point)
        elif key == "lr" or key.endswith(".lr"):
            curves.learning_rates.setdefault(key, []).append(point)
    elif key.endswith("mIoU"):
        curves.metrics.setdefault(key, []).append(point)
    # The frozen teacher's classes would only add flat lines.
    elif "IoU." in key and not key.startswith("teacher."):
        curves.class_iou.setdefault(key.rpartition("IoU.")[2], []).append(point)


def _draw_losses(axis: Axes, curves: Curves) -> None:
    total = dict(color="black", linewidth=1.8, zorder=3, label="loss (sum)")
    for name, points in curves.losses.items():
        _draw_line(axis, points, **(total if name == "loss" else dict(label=name)))
    values = [value for points in curves.losses.values() for _, value in points]
    finite = [value for value in values if math.isfinite(value)]
    if finite and min(finite) > 0 and max(finite) > 20 * min(finite):
        axis.set_yscale("log")
    axis.set_ylabel("training loss")


def _draw_metrics(axis: Axes, curves: Curves) -> None:
    for name, points in curves.class_iou.items():
        _draw_line(axis, points, alpha=0.85, label=name)
    teacher, own = dict(linestyle="--", linewidth=1.3, marker=""), dict(linewidth=2.0)
    for name, points in curves.metrics.items():
        style = teacher if name.startswith("teacher.") else own
        _draw_line(axis, points, color="black", label=name, **style)
    if "mIoU" in curves.metrics:
        iteration, best = max(curves.metrics["mIoU"], key=lambda point: point[1])
        circle = dict(color="black", markersize=7, markerfacecolor="white", zorder=4)
        axis.plot([iteration], [best], "o", label=f"best {best:.1f} at {iteration:.0f}", **circle)
    axis.set_ylim(0, 102)
    axis.set_ylabel("validation IoU in %")


def _draw_learning_rates(axis: Axes, curves: Curves) -> None:
    for name, points in curves.learning_rates.items():
        _draw_line(axis, points, label=name if len(curves.learning_rates) > 1 else None)
    axis.ticklabel_format(axis="y", style="sci", scilimits=(0, 0), useMathText=True)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("learning rate")


def _draw_line(axis: Axes, points: list[tuple[float, float]], **style: object) -> None:
    # With few points, show each of them.
    axis.plot(*zip(*points, strict=True), **{"marker": "." if len(points) <= 30 else "", **style})
