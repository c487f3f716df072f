"""Shows people what was predicted: the class map's colours over the image."""

from collections.abc import Sequence

import cv2
import numpy as np


def draw_overlay(
    image: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[tuple[int, int, int]],
    opacity: float = 0.5,
) -> np.ndarray:
    """Blend the classes' colours over an image; the background, class 0, is left untouched.

    Args:
        image: uint8 of shape (H, W, 3), BGR.
        labels: uint8 of shape (H, W), below the palette's length.
        palette: One (R, G, B) of 0..255 a class.
        opacity: 0 (the image alone) .. 1 (the colours alone).

    Returns:
        uint8 of shape (H, W, 3), BGR; a new array.
    """
    colors = np.array(palette, np.uint8)[:, ::-1][labels]
    blend = cv2.addWeighted(colors, opacity, image, 1 - opacity, 0)
    return np.where(labels[:, :, None] == 0, image, blend)
