"""Pictures of images and their masks, for pages and sheets."""

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
"""Pixels of a picture's longer side at most: a page with 1024 px pictures would be too large."""


@dataclass(frozen=True)
class Sample:
    """One image with its masks.

    Attributes:
        name: The image's name to show, such as its file name.
        image: uint8 of shape (H, W) or (H, W, 3) in BGR, as OpenCV reads it.
        truth: Class indices of shape (H, W), 255 where there is no label.
        predictions: Class indices of shape (H, W) by the model's name.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    predictions: Mapping[str, np.ndarray] = field(default_factory=dict)


def draw_mask(image: np.ndarray, mask: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Draw a mask over an image: classes in their colours, pixels without a label hatched.

    Args:
        image: uint8 of shape (H, W) or (H, W, 3), BGR.
        mask: Class indices of shape (H, W); 0 is the background, which is not coloured.
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


def overlays(sample: Sample, palette: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """Draw a sample's masks over its image.

    Returns:
        uint8 pictures of shape (H, W, 3), BGR, by what they show: "image", "truth", and the name of
        each model with a prediction.
    """
    masks = {"truth": sample.truth, **sample.predictions}
    drawn = {name: draw_mask(sample.image, mask, palette) for name, mask in masks.items()}
    return {"image": _as_bgr(sample.image), **drawn}


def has_unlabelled(samples: Sequence[Sample]) -> bool:
    """Return whether any mask of the samples has pixels without a label."""
    masks = (mask for sample in samples for mask in (sample.truth, *sample.predictions.values()))
    return any(np.any(mask == IGNORE) for mask in masks)


DIFFERENCES = ("correct background", "found", "missed", "false", "wrong class")
"""Names of the values of :func:`difference`."""

DIFFERENCE_PALETTE = ((0, 0, 0), (0, 158, 115), (230, 97, 0), (86, 180, 233), (240, 228, 66))
"""One (R, G, B) a value, which people with colour blindness can tell apart too."""


def difference(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Compare a prediction with the truth, pixel by pixel.

    Args:
        truth: Class indices of shape (H, W), 0 for the background, 255 where there is no label.
        prediction: Class indices of shape (H, W).

    Returns:
        uint8 of shape (H, W), indices of :data:`DIFFERENCES`: 0 for background predicted as such, 1
        for a defect in its class, 2 for a defect predicted as background, 3 for background
        predicted as a defect, 4 for a defect predicted as another one; 255 without a label.
    """
    defect, predicted = truth != 0, prediction != 0
    kinds = np.zeros(truth.shape, np.uint8)
    kinds[defect & predicted] = 4
    kinds[defect & (truth == prediction)] = 1
    kinds[defect & ~predicted] = 2
    kinds[~defect & predicted] = 3
    kinds[truth == IGNORE] = IGNORE
    return kinds


def as_data_uri(picture: np.ndarray, longest_side: int = LONGEST_SIDE) -> str:
    """Encode a picture, uint8 of shape (H, W) or (H, W, 3) BGR, as JPEG for an ``<img src>``.

    A picture whose longer side has more pixels than ``longest_side`` is scaled down.
    """
    scale = longest_side / max(picture.shape[:2])
    if scale < 1:
        # By area: a streak one pixel wide becomes paler, nearest neighbour could drop it.
        size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    # Full colour resolution: JPEG's usual halving smears the edges of coloured areas.
    options = [
        cv2.IMWRITE_JPEG_QUALITY, 88,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]  # fmt: skip
    _, data = cv2.imencode(".jpg", picture, options)
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"


def _as_bgr(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
