"""The part of a camera's frame that counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from lwam_mm.runtime import ImageError, read_image
from lwam_mm.utils.errors import ConfigError

MOST_PX = 1_000_000
"""No frame reaches further; OpenCV takes long to draw what does."""


def region_of_interest(
    roi: Path | Sequence[tuple[float, float]], size: tuple[int, int]
) -> np.ndarray:
    """Return which pixels of a frame count.

    Args:
        roi: A polygon, px, no further than `MOST_PX`; what is outside of the frame is cut off. Or a
            mask, in which all counts that is not black.
        size: Height and width of the frame.

    Returns:
        bool of shape (H, W).

    Raises:
        ConfigError: The mask cannot be read or is of another size, or no pixel counts.

    Example:
        >>> region_of_interest([(1, 0), (9, 0), (9, 1), (1, 1)], (3, 4)).astype(int)
        array([[0, 1, 1, 1],
               [0, 1, 1, 1],
               [0, 0, 0, 0]])
    """
    if isinstance(roi, Path):
        mask = read_mask(roi)
        if mask.shape != size:
            raise ConfigError(
                f"measure.roi: {roi} is {mask.shape[1]} x {mask.shape[0]} px, the frame "
                f"{size[1]} x {size[0]}: draw the mask over a frame of this camera"
            )
        return mask
    drawn = np.zeros(size, np.uint8)
    cv2.fillPoly(drawn, [np.round(np.asarray(roi)).astype(np.int32)], [1])
    if not drawn.any():
        (left, top), (right, bottom) = np.min(roi, axis=0), np.max(roi, axis=0)
        raise ConfigError(
            f"measure.roi: the polygon from ({left:g}, {top:g}) to ({right:g}, {bottom:g}) lies "
            f"outside of the frame of {size[1]} x {size[0]} px: draw it over a frame of this camera"
        )
    return drawn.astype(bool)


def read_mask(path: Path) -> np.ndarray:
    """Read a mask: bool of shape (H, W), True where it is not black.

    Raises:
        ConfigError: It cannot be read, or all of it is black.
    """
    try:
        mask = read_image(path).max(axis=2) > 0
    except ImageError as error:
        raise ConfigError(f"measure.roi: {error}") from error
    if not mask.any():
        raise ConfigError(
            f"measure.roi: {path} is black all over: paint the powder surface white, or remove the "
            "key"
        )
    return np.asarray(mask)
