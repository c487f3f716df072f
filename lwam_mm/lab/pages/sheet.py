"""Sheets of pictures: rows of squares under headings, in one PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lwam_mm.utils.atomic_files import write_atomically

_DPI = 100
_GAP = 4
_LINE = 26
_TEXT = dict(fontsize=9, color="#282828")


def write_sheet(
    path: str | Path,
    headings: Sequence[str],
    rows: Sequence[Sequence[np.ndarray]],
    *,
    captions: Sequence[str] = (),
    legend: Sequence[Patch] = (),
    tile: int = 192,
) -> None:
    """Draw rows of pictures, each scaled into a square that keeps its proportions.

    Args:
        path: The PNG file to write; its folder is created if needed. It is written whole or not
            at all.
        headings: The columns' headings.
        rows: uint8 pictures of shape (H, W, 3), BGR, one a column.
        captions: One line above each row; none if empty.
        legend: Entries above the headings; none if empty.
        tile: Height and width of each square in pixels.

    Raises:
        ValueError: If there is no row, or a row does not have one picture a column.
        OSError: If the file cannot be written.
    """
    counts = {len(row) for row in rows}
    if counts != {len(headings)}:
        raise ValueError(
            f"{path}: a sheet with {len(headings)} columns needs one or more rows of as many "
            f"pictures, got rows of {sorted(counts)}."
        )
    width = len(headings) * (tile + _GAP)
    longest = max((len(entry.get_label()) for entry in legend), default=0)
    legend_columns = max(1, width // (40 + 7 * longest))
    legend_height = _LINE * -(-len(legend) // legend_columns)
    caption_height = _LINE if captions else 0
    height = legend_height + _LINE + len(rows) * (caption_height + tile + _GAP)

    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)

    def write(x: float, y: float, text: str) -> None:
        figure.text(x / width, 1 - (y + 0.7 * _LINE) / height, text, **_TEXT)

    if legend:
        figure.legend(
            handles=legend, ncols=legend_columns, loc="upper left", frameon=False, fontsize=9,
            borderpad=0.2, borderaxespad=0, bbox_to_anchor=(0, 1),
        )  # fmt: skip
    lefts = [column * (tile + _GAP) for column in range(len(headings))]
    for left, heading in zip(lefts, headings, strict=True):
        write(left + 2, legend_height, heading)
    for index, pictures in enumerate(rows):
        top = legend_height + _LINE + index * (caption_height + tile + _GAP)
        if captions:
            write(2, top, captions[index])
        for left, picture in zip(lefts, pictures, strict=True):
            scale = tile / max(picture.shape[:2])
            down, across = (max(1, round(side * scale)) for side in picture.shape[:2])
            bottom = height - (top + caption_height) - down
            axes = figure.add_axes(
                (left / width, bottom / height, across / width, down / height), frameon=False
            )
            axes.set_axis_off()
            axes.imshow(
                picture[:, :, ::-1],
                aspect="auto",
                # Enlarged pixel by pixel, a thin streak keeps its shape.
                interpolation="nearest" if scale >= 1 else "antialiased",
            )
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    write_atomically(path, png.getvalue())
