"""Bounds of rates from counts."""

import math


def poisson_upper_bound(count: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided upper bound of a Poisson process's mean.

    The mean at which no more than ``count`` events would have had a probability of 1 - confidence.
    None seen still leaves three: the "rule of three".

    Args:
        count: Events counted, 0 or more.
        confidence: Between 0 and 1.

    Returns:
        The bound, in events.

    Example:
        >>> round(poisson_upper_bound(0), 3), round(poisson_upper_bound(5), 3)
        (2.996, 10.513)
    """
    low, high = 0.0, count + 10.0 * math.sqrt(count + 1.0) + 10.0
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if _at_most(count, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(count: int, mean: float) -> float:
    """Return the probability of at most so many events."""
    terms = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))
    return math.fsum(terms) if mean > 0 else 1.0
