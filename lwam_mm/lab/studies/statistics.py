"""What a handful of seeds tells: mean, spread, and a difference with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """Figures of one arm.

    Attributes:
        count: number of seeds.
        mean: their mean.
        spread: their sample standard deviation (n - 1); None for fewer than two.
    """

    count: int
    mean: float
    spread: float | None


@dataclass(frozen=True)
class Difference:
    """One arm less another, paired by seed.

    Attributes:
        count: number of seeds that both have.
        mean: mean of the differences.
        half_width: half of the 95 % t-interval around it; None for fewer than two seeds.
    """

    count: int
    mean: float
    half_width: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.half_width is not None and abs(self.mean) > self.half_width


def summarize(values: Sequence[float]) -> Summary | None:
    """Summarize an arm's figures; None where there are none."""
    if not values:
        return None
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(len(values), float(np.mean(values)), spread)


def paired_difference(
    values: Mapping[int, float], against: Mapping[int, float]
) -> Difference | None:
    """Compare two arms over the seeds that both have.

    Args:
        values: figure by seed.
        against: that of the arm to compare with.

    Returns:
        The difference, ``values`` less ``against``; None where no seed is in both.

    Example:
        >>> d = paired_difference({0: 3.0, 1: 5.0, 2: 4.0}, {0: 2.0, 1: 3.0, 2: 1.0})
        >>> d.mean, round(d.half_width, 3)
        (2.0, 2.484)
    """
    differences = [values[seed] - against[seed] for seed in values if seed in against]
    if not differences:
        return None
    count, mean = len(differences), float(np.mean(differences))
    if count == 1:
        return Difference(count, mean, None)
    error = float(np.std(differences, ddof=1)) / math.sqrt(count)
    quantile = float(stats.t.ppf((1 + _CONFIDENCE) / 2, count - 1))
    return Difference(count, mean, quantile * error)
