"""How a prediction differs from the truth, pixel by pixel."""

from __future__ import annotations

import numpy as np

from lwam_mm.lab.pages.pictures import IGNORE

DIFFERENCES = ("right background", "found", "missed", "false", "wrong class")
"""Names of the values of :func:`difference`."""

DIFFERENCE_PALETTE = ((0, 0, 0), (0, 158, 115), (230, 97, 0), (86, 180, 233), (240, 228, 66))
"""One (R, G, B) a value; also told apart by people who see few colours."""


def difference(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Compare a prediction with the truth.

    Args:
        truth: class indices of shape (H, W), 0 for the background, 255 where there is no label.
        prediction: class indices of shape (H, W).

    Returns:
        uint8 of shape (H, W), indices of :data:`DIFFERENCES`: 0 for background seen as such, 1 for
        a defect in its class, 2 for a defect taken for background, 3 for background taken for a
        defect, 4 for a defect taken for another one; 255 where there is no label.
    """
    defect, predicted = truth != 0, prediction != 0
    kinds = np.zeros(truth.shape, np.uint8)
    kinds[defect & predicted] = 4
    kinds[defect & (truth == prediction)] = 1
    kinds[defect & ~predicted] = 2
    kinds[~defect & predicted] = 3
    kinds[truth == IGNORE] = IGNORE
    return kinds
