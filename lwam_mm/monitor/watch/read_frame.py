"""Reads a file once: what is hashed is what is decoded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lwam_mm.monitor.watch.paths import printable
from lwam_mm.runtime import ImageError, decoding
from lwam_mm.runtime.decoding import RefusedImageError


@dataclass(frozen=True, eq=False)
class Frame:
    """An image and the hash of the file it came from.

    Attributes:
        sha256: Of the file's bytes, hexadecimal.
        pixels: uint8 of shape (H, W, 3), BGR.
    """

    sha256: str
    pixels: np.ndarray


def read_frame(path: Path, white_level: int | None = None) -> Frame:
    """Read an image file; see `lwam_mm.runtime.read_image`.

    Raises:
        ImageError: It cannot be read or decoded.
    """
    try:
        data = decoding.read_file(path)
        header = decoding.read_header(data)
        pixels = decoding.to_bgr(decoding.read_pixels(data, header), header, white_level)
    except RefusedImageError as error:
        raise ImageError(f"{printable(path)} {error.found}: {error.remedy}") from error
    return Frame(hashlib.sha256(data).hexdigest(), pixels)
