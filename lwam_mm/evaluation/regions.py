"""Matching of defect regions between ground truth and prediction."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

TRUE, PREDICTED = 0, 1
"""Indices of the counts: regions of the ground truth, and of the prediction."""


def count_regions(
    truth: np.ndarray,
    prediction: np.ndarray,
    num_classes: int,
    shares: Sequence[float],
    *,
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
        num_classes: Number of classes C; class 0 is the background, which has no regions.
        shares: S shares, each greater than 0 and at most 1.
        ignore_index: Label of pixels that are not counted.
        min_area: Smallest area in pixels that counts, 1 or more.

    Returns:
        int64 array (C + 1, 2, 1 + S): for each class (0 for the background), and finally for "any
        defect" (all classes but the background as one), and for ground truth and prediction
        (:data:`TRUE`, :data:`PREDICTED`), the number of regions and how many of them are covered
        to each share.

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
    masks = [(truth == index, prediction == index) for index in range(1, num_classes)]
    masks.append((counted & (truth != 0), prediction != 0))
    counts = np.zeros((num_classes + 1, 2, 1 + len(shares)), np.int64)
    for index, (true, predicted) in enumerate(masks, start=1):
        counts[index, TRUE] = _count(true, predicted, counted, shares, min_area)
        counts[index, PREDICTED] = _count(predicted, true, counted, shares, min_area)
    return counts


def _count(mask, other, counted, shares: Sequence[float], min_area: int) -> list[int]:
    if not mask.any():  # most classes are on few images
        return [0] * (1 + len(shares))
    # Ignored pixels too: they do not separate the regions on both sides of them.
    count, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    areas = np.bincount(numbers[counted], minlength=count)[1:]
    covered = np.bincount(numbers[counted & other], minlength=count)[1:]
    large = areas >= min_area
    share = covered[large] / areas[large]
    return [int(large.sum()), *(int((share >= s).sum()) for s in shares)]
