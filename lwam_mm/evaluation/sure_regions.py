"""Leaves out the regions that a net is not sure of."""

from __future__ import annotations

import cv2
import numpy as np


def sure_regions(labels: np.ndarray, probabilities: np.ndarray, least: float) -> np.ndarray:
    """Return the labels without regions whose mean probability is below ``least``.

    A region is a connected set of pixels of one class, diagonal neighbours included, and its
    probability the mean of its class's over its pixels, as the rules of the layer monitor take it.

    Args:
        labels: Predicted classes, integers (H, W); class 0 is the background.
        probabilities: Each class's, 0..1, (C, H, W).
        least: The least mean probability that counts, 0..1.

    Returns:
        Integers (H, W); what was left out is background.

    Example:
        >>> labels = np.array([[1, 1, 0, 1]])
        >>> probabilities = np.array([[[0.1, 0.3, 0.9, 0.4]], [[0.9, 0.7, 0.1, 0.6]]])
        >>> sure_regions(labels, probabilities, 0.7).tolist()
        [[1, 1, 0, 0]]
    """
    sure = labels.copy()
    for index in range(1, len(probabilities)):
        mask = labels == index
        if not mask.any():
            continue
        count, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        areas = np.bincount(numbers[mask], minlength=count)
        sums = np.bincount(numbers[mask], weights=probabilities[index][mask], minlength=count)
        unsure = sums < least * areas  # of number 0, the rest of the frame, both are 0
        sure[unsure[numbers]] = 0
    return sure
