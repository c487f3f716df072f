"""Draws a label map over its image."""

from collections.abc import Sequence

import cv2
import numpy as np


def draw_overlay(
    image: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[tuple[int, int, int]],
    opacity: float = 0.5,
) -> np.ndarray:
    """Blend the classes' colours over an image; the background, class 0, is left unchanged.

    Args:
        image: uint8 of shape (H, W, 3), BGR.
        labels: uint8 of shape (H, W), each less than the palette's length.
        palette: One (R, G, B) of 0..255 per class.
        opacity: 0 (the image alone) to 1 (the colours alone).

    Returns:
        uint8 of shape (H, W, 3), BGR; a new array.

    Example:
        >>> image = np.full((1, 2, 3), 100, np.uint8)
        >>> labels = np.array([[0, 1]], np.uint8)
        >>> draw_overlay(image, labels, palette=[(0, 0, 0), (255, 0, 0)]).tolist()
        [[[100, 100, 100], [50, 50, 178]]]
    """
    colors = np.array(palette, np.uint8)[:, ::-1][labels]
    blend = cv2.addWeighted(colors, opacity, image, 1 - opacity, 0)
    return np.where(labels[:, :, None] == 0, image, blend)
