"""Precision and recall of each class over the threshold of its probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lwam_mm.datasets.classes import IGNORE_INDEX

STEPS = 1000
"""Thresholds are 0, 1/STEPS, ... 1."""


@dataclass(frozen=True)
class Curve:
    """Precision and recall of one class, all in 0..1.

    A pixel counts as found if the class's probability reaches the threshold. Arrays are float64 of
    shape (T,).
    """

    thresholds: np.ndarray  # from 0 to 1, ascending
    precision: np.ndarray  # correct share of the found pixels; NaN if none is found
    recall: np.ndarray  # found share of the class's pixels

    @property
    def average_precision(self) -> float:
        """Area under the curve in steps, as scikit-learn defines it: 0..1."""
        gains = self.recall - np.append(self.recall[1:], 0.0)
        return float(np.sum(gains * np.nan_to_num(self.precision)))

    @property
    def best(self) -> int:
        """Index of the threshold with the largest F-score, the lowest of equal ones."""
        return int(np.argmax(self.f_score))

    @property
    def f_score(self) -> np.ndarray:
        """Harmonic mean of precision and recall at each threshold; 0 where nothing is correct."""
        precision = np.nan_to_num(self.precision)
        both = precision + self.recall
        return np.divide(2 * precision * self.recall, both, out=np.zeros_like(both), where=both > 0)


class PrecisionRecall:
    """Counter of pixels by class and probability, whose memory does not grow with the images."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self._all = np.zeros((num_classes, STEPS + 1), np.int64)
        self._right = np.zeros((num_classes, STEPS + 1), np.int64)

    def add(self, probabilities: np.ndarray, label: np.ndarray) -> None:
        """Count one image.

        Args:
            probabilities: Floats in 0..1 of shape (C, H, W).
            label: Class indices of shape (H, W); 255 is not counted.

        Raises:
            ValueError: If the shapes do not fit, or a value is no probability.
        """
        if probabilities.shape != (self.num_classes, *label.shape):
            raise ValueError(
                f"probabilities of shape {probabilities.shape} do not fit {self.num_classes} "
                f"classes and a label of shape {label.shape}"
            )
        counted = label != IGNORE_INDEX
        truth = label[counted]
        for index in range(self.num_classes):
            values = probabilities[index][counted]
            if not np.all((values >= 0) & (values <= 1)):
                raise ValueError(f"class {index} has probabilities outside 0..1, or NaN")
            bins = (values * STEPS).astype(np.int64)  # the highest threshold reached
            self._all[index] += np.bincount(bins, minlength=STEPS + 1)
            self._right[index] += np.bincount(bins[truth == index], minlength=STEPS + 1)

    def share(self, index: int) -> float:
        """Return the class's share of the counted pixels, 0..1: the precision of guessing."""
        return float(self._right[index].sum() / max(1, self._all[index].sum()))

    def curve(self, index: int) -> Curve | None:
        """Return a class's curve; None if no counted pixel belongs to it."""
        # The counts of each bin and all above it.
        right, found = (np.cumsum(c[index, ::-1])[::-1] for c in (self._right, self._all))
        if right[0] == 0:
            return None
        nothing = np.full(found.shape, np.nan)
        return Curve(
            thresholds=np.arange(STEPS + 1) / STEPS,
            precision=np.divide(right, found, out=nothing, where=found > 0),
            recall=right / right[0],
        )
