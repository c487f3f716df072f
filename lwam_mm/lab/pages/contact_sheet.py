"""What augmentation makes of images, in one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lwam_mm.lab.pages.picture_sheet import fit_square, headings, side_by_side
from lwam_mm.lab.pages.pictures import draw_mask
from lwam_mm.utils.atomic_files import write_atomically

_LINE, _MARGIN = 24, 2
_INK = (40, 40, 40)


@dataclass(frozen=True)
class Row:
    """One image of the sheet.

    Attributes:
        name: what to call it, best its file.
        image: uint8 of shape (H, W, 3), BGR, as read.
        mask: class indices of shape (H, W), 255 where there is no label.
        views: augmented images and masks of any one size each, as ``image`` and ``mask``.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray
    views: Sequence[tuple[np.ndarray, np.ndarray]]


def write_contact_sheet(
    path: str | Path,
    rows: Sequence[Row],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    tile: int = 192,
) -> None:
    """Draw the classes' colours, then a row an image: as read, with its mask, its views.

    Pixels without a label are hatched.

    Args:
        path: PNG to write; its folder is created if need be. It appears whole or not at all.
        rows: one or more, all with as many views.
        classes: class names in index order; class 0 is not coloured.
        palette: one (R, G, B) of 0..255 a class.
        tile: height and width of each picture in pixels.

    Raises:
        ValueError: there is no row, or the rows differ in their number of views.
        OSError: the file cannot be written.
    """
    views = {len(row.views) for row in rows}
    if len(views) != 1:
        raise ValueError(f"{path}: rows with the same number of views are due, got {sorted(views)}")
    columns = ["as read", "mask", *(f"view {number + 1}" for number in range(views.pop()))]
    heads = headings(columns, tile)
    width = heads.shape[1]
    lines = [*_legend(classes, palette, width), heads]
    for row in rows:
        lines.append(_text_line(f"{row.name}: {_contents(row.mask, classes)}", width))
        pictures = [row.image, draw_mask(row.image, row.mask, palette)]
        pictures += [draw_mask(image, mask, palette) for image, mask in row.views]
        lines.append(side_by_side([fit_square(picture, tile) for picture in pictures]))
    done, png = cv2.imencode(".png", np.vstack(lines))
    if not done:
        raise OSError(f"{path}: OpenCV could not encode the sheet.")
    write_atomically(path, png.tobytes())


def _contents(mask: np.ndarray, classes: Sequence[str]) -> str:
    pixels = np.bincount(mask.ravel(), minlength=256)
    shares = [
        f"{name} {100 * pixels[index] / mask.size:.2g} %"
        for index, name in enumerate(classes)
        if index and pixels[index]
    ]
    return ", ".join(shares) or f"{classes[0]} alone"


def _legend(
    classes: Sequence[str], palette: Sequence[Sequence[int]], width: int
) -> list[np.ndarray]:
    """Draw a patch of colour and a name for each class, in as many lines as they need."""
    lines, x = [_blank(width)], _MARGIN
    entries = [(0, f"{classes[0]} (not coloured)"), *enumerate(classes[1:], 1), (255, "no label")]
    for value, text in entries:
        needed = 24 + _text_width(text) + 16
        if x > _MARGIN and x + needed > width:
            lines.append(_blank(width))
            x = _MARGIN
        grey = np.full((14, 18, 3), 190, np.uint8)
        patch = draw_mask(grey, np.full((14, 18), value, np.uint8), palette)
        lines[-1][5:19, x : x + 18] = patch
        cv2.rectangle(lines[-1], (x, 5), (x + 18, 18), _INK, 1)
        _write(lines[-1], text, x + 24)
        x += needed
    return lines


def _text_line(text: str, width: int) -> np.ndarray:
    line = _blank(width)
    _write(line, text, _MARGIN)
    return line


def _blank(width: int) -> np.ndarray:
    return np.full((_LINE, width, 3), 255, np.uint8)


def _text_width(text: str) -> int:
    return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0]


def _write(line: np.ndarray, text: str, x: int) -> None:
    cv2.putText(line, text, (x, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
