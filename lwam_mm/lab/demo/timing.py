"""Milliseconds an image, measured so that a noisy machine is fair to all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median


def measure_in_turn(
    runs: Mapping[str, Callable[[], object]], *, rounds: int = 20, warm_up: int = 3
) -> dict[str, float]:
    """Time several functions in turn, round after round, not in blocks.

    Args:
        runs: name to function; each call is one image.
        rounds: how often each is timed, 1 or more.
        warm_up: rounds before that, not counted.

    Returns:
        Median milliseconds a call by name.
    """
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(warm_up + rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if round_ >= warm_up:
                taken[name].append(1000 * (time.perf_counter() - start))
    return {name: median(times) for name, times in taken.items()}
