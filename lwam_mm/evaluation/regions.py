"""Matching of defect regions between ground truth and prediction."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

TRUE, PREDICTED = 0, 1
"""Indices of the counts: regions of the ground truth, and of the prediction."""

# A share is the quotient of two integers; its rounding must not decide.
_ROUNDING = 1e-9


def count_regions(
    truth: np.ndarray,
    prediction: np.ndarray,
    num_classes: int,
    shares: Sequence[float],
    *,
    background: int = 0,
    ignore_index: int = 255,
    min_area: int = 1,
) -> np.ndarray:
    """Count an image's regions in ground truth and prediction, and those that the other covers.

    A region is a connected set of pixels of one class, diagonal neighbours included. Its area is
    the number of its pixels that are not ignored in the ground truth. It is covered to a share s
    if at least s of these have its class on the other side, in any number of regions. Regions
    smaller than ``min_area`` are not counted, but they cover others.

    Args:
        truth: Labels, integers (H, W); ``ignore_index`` marks pixels that are not counted.
        prediction: Predicted classes, integers (H, W).
        num_classes: Number of classes C.
        shares: S shares, each greater than 0 and at most 1.
        background: The class that has no regions.
        ignore_index: Label of pixels that are not counted.
        min_area: Smallest area in pixels that counts.

    Returns:
        int64 array (C + 1, 2, 1 + S): for each class, and finally for "any defect" (all classes
        but the background as one), and for ground truth and prediction (:data:`TRUE`,
        :data:`PREDICTED`), the number of regions and how many of them are covered to each share.

    Example:
        >>> truth = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]])
        >>> prediction = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]])
        >>> counts = count_regions(truth, prediction, num_classes=2, shares=(0.5, 0.9))
        >>> counts[1, TRUE].tolist()  # two regions, one of them half covered
        [2, 1, 0]
        >>> counts[1, PREDICTED].tolist()  # one region, two thirds of it right
        [1, 1, 0]
    """
    counted = truth != ignore_index
    masks = [(truth == index, prediction == index) for index in range(num_classes)]
    masks[background] = (np.zeros_like(counted), np.zeros_like(counted))
    masks.append((counted & (truth != background), prediction != background))
    return np.array(
        [
            [
                _count(true, predicted, counted, shares, min_area),
                _count(predicted, true, counted, shares, min_area),
            ]
            for true, predicted in masks
        ],
        np.int64,
    )


def _count(
    mask: np.ndarray,
    other: np.ndarray,
    counted: np.ndarray,
    shares: Sequence[float],
    min_area: int,
) -> list[int]:
    if not mask.any():
        return [0] * (1 + len(shares))
    # Ignored pixels too: they do not separate the regions on both sides of them.
    count, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    areas = np.bincount(numbers[counted], minlength=count)[1:]
    covered = np.bincount(numbers[counted & other], minlength=count)[1:]
    large = areas >= max(min_area, 1)
    share = covered[large] / areas[large]
    return [int(large.sum()), *(int((share >= s - _ROUNDING).sum()) for s in shares)]
