"""Drawn layers to measure on: speed depends on them only through their size and their bytes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from lwam_mm.datasets.synthetic.build import draw_layer, make_build

_SEED = 0
FRAME = (3302, 3772)
"""Height and width in pixels of a whole camera frame, for models of any size."""


def draw_layers(folder: Path, size: int, count: int) -> list[Path]:
    """Draw grey layers of ``size`` x ``size`` pixels as 8-bit PNG files."""
    build = make_build(_SEED, 0, size, count)
    return [
        _save(folder / f"layer{index}.png", draw_layer(build, index)[0]) for index in range(count)
    ]


def draw_frame(layer: Path, path: Path) -> Path:
    """Lay copies of a layer side by side to a grey PNG of a whole camera frame, :data:`FRAME`."""
    pixels = cv2.imread(str(layer), cv2.IMREAD_GRAYSCALE)
    repeats = [-(-side // have) for side, have in zip(FRAME, pixels.shape, strict=True)]
    return _save(path, np.tile(pixels, repeats)[: FRAME[0], : FRAME[1]])


def _save(path: Path, pixels: np.ndarray) -> Path:
    done, data = cv2.imencode(".png", pixels)
    if not done:
        raise RuntimeError(f"OpenCV could not encode {path.name} as PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
    return path
