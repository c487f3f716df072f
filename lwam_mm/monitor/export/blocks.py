"""Masks on a coarser grid, in which small defects survive."""

from __future__ import annotations

import cv2
import numpy as np

from lwam_mm.monitor.export.exported import Exported
from lwam_mm.monitor.record.tables import Layer
from lwam_mm.monitor.view.pictures import PictureGoneError

UNKNOWN = 255
"""What is said of a layer that was not inspected, and of what no camera sees."""


def known_mask(build: Exported, layer: Layer | None) -> np.ndarray | None:
    """Return the mask of a layer, uint8 (H, W); None if nothing is known about it."""
    if layer is None or layer.state != "inspected":
        return None
    try:
        mask = build.labels(layer)
    except PictureGoneError:
        return None
    return mask if mask.shape == build.size else None


def largest_in_blocks(mask: np.ndarray, factor: int) -> np.ndarray:
    """Return the highest class of each block of ``factor`` x ``factor`` px, uint8.

    Example:
        >>> largest_in_blocks(np.array([[0, 0, 0], [0, 2, 1]], np.uint8), 2).tolist()
        [[2, 1]]
    """
    if factor == 1:
        return mask
    height, width = (-(-side // factor) * factor for side in mask.shape)
    padded = cv2.copyMakeBorder(
        mask, 0, height - mask.shape[0], 0, width - mask.shape[1], cv2.BORDER_CONSTANT, value=0
    )
    blocks = padded.reshape(height // factor, factor, width // factor, factor)
    return np.asarray(blocks.max(axis=(1, 3)))
