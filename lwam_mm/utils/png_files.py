"""Encode and write PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import UserError


class PngError(UserError, OSError):
    """An image cannot be stored as PNG."""


def encode_png(image: NDArray[Any]) -> bytes:
    """Return an image as the content of a PNG file.

    Args:
        image: (H, W) or (H, W, 3) with channels blue, green, red; uint8 or uint16.

    Raises:
        PngError: OpenCV cannot encode an image of this shape and type.
    """
    try:
        done, data = cv2.imencode(".png", image)
    except cv2.error as error:
        raise PngError(_message(image)) from error
    if not done:
        raise PngError(_message(image))
    return bytes(data)


def write_png(path: str | Path, image: NDArray[Any]) -> Path:
    """Write an image as a PNG file, atomically, creating the folder; return ``path``.

    Raises:
        PngError: As :func:`encode_png`.
        OSError: The file could not be written; an existing one is unchanged.
    """
    path = Path(path)
    write_atomically(path, encode_png(image))
    return path


def _message(image: NDArray[Any]) -> str:
    return (
        f"OpenCV cannot write an image of shape {np.shape(image)} and type {image.dtype} as PNG: "
        "give (H, W) or (H, W, 3) of uint8 or uint16"
    )
