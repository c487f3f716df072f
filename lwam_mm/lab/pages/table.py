"""Tables in Markdown and plain text, and how their figures are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prettytable import HRuleStyle, PrettyTable, TableStyle, VRuleStyle

MISSING = "-"
"""What stands in a table where there is no figure."""


def markdown_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], left: Iterable[str] = ()
) -> str:
    """Return a table in Markdown, without a newline at its end.

    The first column and those whose headings are in ``left`` align left, the others right.
    """
    # A bar or a line break inside a cell would end it.
    headings, *rows = (
        [" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in (headings, *rows)
    )
    table = _table(headings, rows, [heading.replace("|", "\\|") for heading in left])
    table.set_style(TableStyle.MARKDOWN)
    return table.get_string()


def text_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table for the terminal, its first column aligned left, the others right."""
    table = _table(headings, rows)
    table.hrules, table.vrules = HRuleStyle.HEADER, VRuleStyle.NONE
    return table.get_string()


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], left=()) -> PrettyTable:
    # PrettyTable refuses repeated headings, such as a class called "parameters": make them
    # unique by spaces at their end.
    names = [name + " " * list(headings[:at]).count(name) for at, name in enumerate(headings)]
    table = PrettyTable(names)
    for at, name in enumerate(names):
        table.align[name] = "l" if at == 0 or headings[at] in left else "r"
    table.add_rows(rows)
    return table


def format_percent(value: float | None) -> str:
    """Return a share in percent with two decimals, without the sign."""
    return f"{value:.2f}" if _is_known(value) else MISSING


def format_parameters(value: int | None) -> str:
    """Return a number of parameters: 3_993_958 as "3.994 M", 4_120 as "4,120"."""
    if not _is_known(value):
        return MISSING
    return f"{value / 1e6:.3f} M" if value >= 10_000 else f"{value:,}"


def format_amount(value: float | None) -> str:
    """Return milliseconds or megabytes with three significant digits: 812, 24.1, 3.07, 0.42."""
    if not _is_known(value):
        return MISSING
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:,.{decimals}f}"


def _is_known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


@dataclass(frozen=True)
class ModelScores:
    """The figures of one model. None or NaN stands for "not measured" or "not defined".

    Attributes:
        name: The name to show, such as "distilled student".
        miou: Mean IoU in percent.
        class_iou: IoU in percent of each class, in their order.
        parameters: Number of parameters.
        milliseconds: Median time of one image.
        regions_found: Share of the true regions that are found, in percent.
        false_regions: Number of false regions of an image.
    """

    name: str
    miou: float | None
    class_iou: Sequence[float | None] | None = None
    parameters: int | None = None
    milliseconds: float | None = None
    regions_found: float | None = None
    false_regions: float | None = None


def models_table(
    models: Sequence[ModelScores], classes: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the models for :func:`text_table`.

    Raises:
        ValueError: If a model does not have one IoU for each class.

    Example:
        >>> models = [
        ...     ModelScores("teacher", 71.25, [98.5, 44.0], 9_046_808, 812.4),
        ...     ModelScores("student", 66.0, [97.9, None], 3_993_958, 240.02),
        ... ]
        >>> print(text_table(*models_table(models, ["Background", "Super"])))
          model     mIoU %   Background   Super   parameters   ms/image
        -----------------------------------------------------------------
          teacher    71.25        98.50   44.00      9.047 M        812
          student    66.00        97.90       -      3.994 M        240
    """
    # Only where regions were counted at all.
    regions = ["found %", "false"]
    if all(model.regions_found is model.false_regions is None for model in models):
        regions = []
    rows = []
    for model in models:
        ious = [None] * len(classes) if model.class_iou is None else list(model.class_iou)
        if len(ious) != len(classes):
            raise ValueError(
                f"Model '{model.name}' has {len(ious)} class IoUs for {len(classes)} classes: "
                "give one for each class, None where there is none."
            )
        figures = map(format_percent, [model.miou, *ious])
        parameters = format_parameters(model.parameters)
        counted = [format_percent(model.regions_found), format_percent(model.false_regions)]
        milliseconds = format_amount(model.milliseconds)
        rows.append([model.name, *figures, *counted[: len(regions)], parameters, milliseconds])
    return ["model", "mIoU %", *classes, *regions, "parameters", "ms/image"], rows
