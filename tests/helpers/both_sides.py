"""Reads an image as the runtime does and as training does, which have to agree."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lwam_mm.datasets.decode import decode_image
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.runtime import ImageError, read_image


def read_both(path: Path, data: bytes, white_level: int | None = None) -> np.ndarray:
    """Return the image, or raise the runtime's ImageError when both sides refuse it.

    An image that a tag turns is read by the runtime only.
    """
    path.write_bytes(data)
    try:
        image = read_image(path, white_level)
    except ImageError as error:
        assert str(error).startswith(f"{path} ")  # noqa: PT017
        with pytest.raises(DatasetError) as caught:
            decode_image(data, path, white_level)
        assert str(caught.value).startswith(f"{path}: ")
        raise
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.flags.c_contiguous
    try:
        np.testing.assert_array_equal(decode_image(data, path, white_level), image)
    except DatasetError as error:
        assert "is stored turned" in str(error)  # noqa: PT017
    return image


def refusal(path: Path, data: bytes, white_level: int | None = None) -> str:
    """Return the message with which both sides refuse an image."""
    with pytest.raises(ImageError) as caught:
        read_both(path, data, white_level)
    return str(caught.value)


def pillow(image: Image.Image | np.ndarray, container: str, **options) -> bytes:
    """Encode with Pillow."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, container, **options)
    return buffer.getvalue()


def bgr(pixels: np.ndarray) -> np.ndarray:
    """Return what a reader has to make of 8-bit RGB(A) or grey pixels: (H, W, 3), BGR."""
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    if pixels.shape[2] <= 2:
        return np.repeat(pixels[..., :1], 3, axis=2)
    return pixels[..., 2::-1]
