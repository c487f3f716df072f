"""The figures of each model: how they are written, and the table for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelRow:
    """What was measured of one model. None or NaN stands for "not measured" or "not defined".

    Attributes:
        name: What the reader shall call it, such as "distilled student".
        miou: Mean IoU in percent.
        class_iou: IoU in percent of each class, in the order of the classes; None if there is none.
        parameters: Number of parameters.
        milliseconds: Median time for one image.
        megabytes: Size of the model's file in MB (10^6 bytes).
    """

    name: str
    miou: float | None
    class_iou: Sequence[float | None] | None = None
    parameters: int | None = None
    milliseconds: float | None = None
    megabytes: float | None = None


def is_known(value: float | None) -> bool:
    """Say whether there is a number to show: not None, NaN or infinite."""
    return value is not None and math.isfinite(value)


def format_percent(value: float | None, missing: str = "-") -> str:
    """Write a share in percent with two digits behind the point, without the sign."""
    return f"{value:.2f}" if is_known(value) else missing


def format_parameters(value: int | None, missing: str = "-") -> str:
    """Write a number of parameters: 3_993_958 as "3.994 M", 4_120 as "4,120"."""
    if not is_known(value):
        return missing
    return f"{value / 1e6:.3f} M" if value >= 10_000 else f"{value:,}"


def format_amount(value: float | None, missing: str = "-") -> str:
    """Write milliseconds or megabytes with three digits that count: 812, 24.1, 3.07, 0.42."""
    if not is_known(value):
        return missing
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:,.{decimals}f}"


def column_headings(rows: Sequence[ModelRow], classes: Sequence[str]) -> list[str]:
    """Return the headings for :func:`row_texts`; the file size is there if any row has it."""
    headings = ["model", "mIoU %", *classes, "parameters", "ms/image"]
    return [*headings, "MB"] if _has_size(rows) else headings


def row_texts(
    rows: Sequence[ModelRow], classes: Sequence[str], missing: str = "-"
) -> list[list[str]]:
    """Write each row as texts under :func:`column_headings`.

    Raises:
        ValueError: If a row has not one IoU for each class.
    """
    texts = []
    for row in rows:
        class_iou = [None] * len(classes) if row.class_iou is None else list(row.class_iou)
        if len(class_iou) != len(classes):
            raise ValueError(
                f"Row '{row.name}' holds {len(class_iou)} class IoUs for {len(classes)} classes: "
                "give one for each class, None where there is none."
            )
        cells = [
            row.name,
            *(format_percent(value, missing) for value in (row.miou, *class_iou)),
            format_parameters(row.parameters, missing),
            format_amount(row.milliseconds, missing),
        ]
        texts.append([*cells, format_amount(row.megabytes, missing)] if _has_size(rows) else cells)
    return texts


def format_table(rows: Sequence[ModelRow], classes: Sequence[str]) -> str:
    """Lay out the rows as plain text for the terminal.

    Args:
        rows: The models, in the order to show them.
        classes: Class names, the headings of the per-class IoU columns.

    Returns:
        Lines without a newline at the end; "-" where there is no figure.

    Raises:
        ValueError: If a row has not one IoU for each class.
    """
    headings = column_headings(rows, classes)
    lines = [headings, *row_texts(rows, classes)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        ).rstrip()
        for line in lines
    )


def _has_size(rows: Sequence[ModelRow]) -> bool:
    return any(is_known(row.megabytes) for row in rows)
