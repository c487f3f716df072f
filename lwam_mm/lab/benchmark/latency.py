"""What a series of calls says about the time of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Latency:
    """Milliseconds of calls of the same thing.

    Attributes:
        p50: the median.
        p95: what 95 % of the calls did not exceed.
        p99: what 99 % of the calls did not exceed.
        calls: their number. The tail says as much as there were calls: of fewer than 20 the p95
            and of fewer than 100 the p99 is the slowest.
    """

    p50: float
    p95: float
    p99: float
    calls: int


def summarise(milliseconds: Sequence[float]) -> Latency:
    """Sum up measured times; the tail is a time that was measured, never one between two.

    Raises:
        ValueError: there is none.
    """
    if not milliseconds:
        raise ValueError("no call was measured, so there is nothing to sum up")
    p95, p99 = np.percentile(milliseconds, [95, 99], method="inverted_cdf")
    return Latency(float(np.median(milliseconds)), float(p95), float(p99), calls=len(milliseconds))
