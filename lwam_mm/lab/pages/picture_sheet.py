"""The report's pictures in one PNG, for a README or a slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from lwam_mm.lab.pages.pictures import Sample, draw_mask
from lwam_mm.utils.atomic_files import write_atomically

_HEADING = 26
_GAP = 4


def write_sheet(
    path: str | Path,
    samples: Sequence[Sample],
    palette: Sequence[Sequence[int]],
    tile: int = 192,
) -> None:
    """Draw a row a sample: image, truth and each model's prediction, under headings.

    Args:
        path: PNG to write; its folder is created if need be. It appears whole or not at all.
        samples: at least one; all with the same models.
        palette: one (R, G, B) of 0..255 a class.
        tile: height and width of each picture in pixels.

    Raises:
        ValueError: there is no sample, or their models differ.
        OSError: the file cannot be written.
    """
    if not samples:
        raise ValueError(f"{path}: a sheet needs at least one sample.")
    models = list(samples[0].predictions)
    if any(list(sample.predictions) != models for sample in samples):
        raise ValueError(f"{path}: the samples show different models.")
    rows = [headings(["layer", "truth", *models], tile)]
    for sample in samples:
        masks = [sample.truth, *(sample.predictions[model] for model in models)]
        image = sample.image
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        drawn = [image, *(draw_mask(sample.image, mask, palette) for mask in masks)]
        rows.append(side_by_side([fit_square(picture, tile) for picture in drawn]))
    ok, png = cv2.imencode(".png", np.vstack(rows))
    if not ok:
        raise OSError(f"{path}: OpenCV could not encode the sheet.")
    write_atomically(path, png.tobytes())


def fit_square(picture: np.ndarray, tile: int) -> np.ndarray:
    """Scale a picture into a square of ``tile`` pixels, keeping its proportions."""
    height, width = picture.shape[:2]
    scale = tile / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Enlarged pixel by pixel, a thin streak stays as thick as it is.
    scaled = cv2.resize(
        picture, size, interpolation=cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    )
    square = np.full((tile, tile, 3), 255, np.uint8)
    square[: scaled.shape[0], : scaled.shape[1]] = scaled
    return square


def headings(names: Sequence[str], tile: int) -> np.ndarray:
    """Write a name over each column of squares."""
    cells = []
    for name in names:
        cell = np.full((_HEADING, tile, 3), 255, np.uint8)
        cv2.putText(
            cell, name, (2, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA
        )
        cells.append(cell)
    return side_by_side(cells)


def side_by_side(cells: Sequence[np.ndarray]) -> np.ndarray:
    """Join cells with a white gap at the right and below each."""
    return np.hstack(
        [
            cv2.copyMakeBorder(cell, 0, _GAP, 0, _GAP, cv2.BORDER_CONSTANT, value=(255,) * 3)
            for cell in cells
        ]
    )
