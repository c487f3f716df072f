"""The report's pictures: an image with a mask's colours over it, as text for an HTML page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from lwam_mm.runtime.overlay import draw_overlay

IGNORE = 255
"""Mask value of pixels without a label."""

LONGEST_SIDE = 720
"""Pixels that a picture's longer side keeps: a page with 1024 px pictures would weigh too much."""


@dataclass(frozen=True)
class Sample:
    """One image with its masks.

    Attributes:
        name: What to call the image, best its file name.
        image: uint8 of shape (H, W) or (H, W, 3) in BGR, as OpenCV reads it.
        truth: Class indices of shape (H, W), 255 where there is no label.
        predictions: Class indices of shape (H, W) by the model's name.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    predictions: Mapping[str, np.ndarray] = field(default_factory=dict)


def check_sample(sample: Sample, num_classes: int) -> None:
    """Raise what is wrong with a sample.

    Raises:
        ValueError: If the image is not uint8 grey or BGR, or a mask is not of its size or holds a
            value that is neither a class nor 255.
    """
    shape = sample.image.shape
    if sample.image.dtype != np.uint8 or not (
        len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
    ):
        raise ValueError(
            f"{sample.name}: the image must be uint8 of shape (H, W) or (H, W, 3), got "
            f"{sample.image.dtype} {shape}."
        )
    for name, mask in {"truth": sample.truth, **sample.predictions}.items():
        if mask.shape != shape[:2]:
            raise ValueError(
                f"{sample.name}: the mask '{name}' has shape {mask.shape}, the image {shape[:2]}: "
                "bring both to one size."
            )
        outside = np.setdiff1d(mask, [*range(num_classes), IGNORE])
        if outside.size:
            raise ValueError(
                f"{sample.name}: the mask '{name}' holds {outside.tolist()[:10]}, neither "
                f"among the {num_classes} classes nor {IGNORE} (no label)."
            )


def draw_mask(image: np.ndarray, mask: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Draw a mask over an image: classes in their colours, pixels without a label hatched.

    Args:
        image: uint8 of shape (H, W) or (H, W, 3), BGR.
        mask: Class indices of shape (H, W); 0 is the background and stays uncoloured.
        palette: One (R, G, B) of 0..255 a class.

    Returns:
        uint8 of shape (H, W, 3), BGR; a new array.
    """
    unlabelled = mask == IGNORE
    labels = np.where(unlabelled, 0, mask).astype(np.uint8)
    picture = draw_overlay(_as_bgr(image), labels, [tuple(colour) for colour in palette], 0.55)
    if unlabelled.any():
        height, width = mask.shape
        period = max(4, max(height, width) // 32)
        rows, columns = np.indices((height, width), sparse=True)
        stripes = unlabelled & ((rows + columns) % period < period // 4)
        picture[stripes] = picture[stripes] // 2 + 127
    return picture


def as_data_uri(picture: np.ndarray, longest_side: int = LONGEST_SIDE) -> str:
    """Encode a picture for an ``<img src>``, as JPEG.

    Args:
        picture: uint8 of shape (H, W) or (H, W, 3), BGR.
        longest_side: pixels that the longer side has at most; a larger picture is made smaller.

    Raises:
        ValueError: If OpenCV cannot encode it.
    """
    scale = longest_side / max(picture.shape[:2])
    if scale < 1:
        # By area: a streak of one pixel's width grows paler, nearest neighbour could lose it.
        size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    # Full colour resolution: JPEG's usual halving smears the edges of coloured areas.
    options = [
        cv2.IMWRITE_JPEG_QUALITY, 88,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]  # fmt: skip
    done, data = cv2.imencode(".jpg", picture, options)
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of {picture.dtype} {picture.shape}.")
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"


def _as_bgr(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
