"""Regions of a segmentation: which defects were found, and which findings are none."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

TRUE, PREDICTED = 0, 1
"""Sides of the counts: the regions of the ground truth, and those of the prediction."""

# A share is a quotient of two whole numbers: what is rounded off it must not decide.
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
    """Count the regions of one image on both sides, and those that the other side covers.

    A region is a set of pixels of one class that hang together, diagonal neighbours included. Its
    area is the number of its pixels that are not ignored in the ground truth, and it is covered
    by a share of s if at least s of these are of its class on the other side, in whatever regions
    there. Regions smaller than ``min_area`` are not counted, but cover.

    Args:
        truth: Labels, integers of shape (H, W); ``ignore_index`` marks pixels not to count.
        prediction: Predicted classes, integers of shape (H, W).
        num_classes: Number of classes C.
        shares: S shares, each greater than 0 and at most 1.
        background: The class that has no regions.
        ignore_index: Label of pixels that are not counted.
        min_area: Smallest area in pixels that counts.

    Returns:
        int64 array of shape (C + 1, 2, 1 + S): for each class, and at last for "any defect" (all
        classes but the background as one), for each side (:data:`TRUE`, :data:`PREDICTED`), the
        number of regions and how many of them are covered by each share.
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
    # The whole mask, ignored pixels too: they do not part what lies on both sides of them.
    count, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    areas = np.bincount(numbers[counted], minlength=count)[1:]
    covered = np.bincount(numbers[counted & other], minlength=count)[1:]
    large = areas >= max(min_area, 1)
    share = covered[large] / areas[large]
    return [int(large.sum()), *(int((share >= s - _ROUNDING).sum()) for s in shares)]
