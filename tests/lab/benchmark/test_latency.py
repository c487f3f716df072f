from __future__ import annotations

import pytest

from lwam_mm.lab.benchmark.latency import summarise


def test_percentiles_by_hand():
    # 1 .. 200 in any order: half lie at or below 100, 95 % at or below 190, 99 % at or below 198.
    latency = summarise([float(value) for value in [*range(200, 100, -1), *range(1, 101)]])
    assert latency.p50 == 100.5
    assert latency.p95 == 190
    assert latency.p99 == 198
    assert latency.calls == 200


def test_the_tail_of_few_calls_is_the_slowest():
    latency = summarise([3.0, 1.0, 9.0])
    assert (latency.p50, latency.p95, latency.p99) == (3.0, 9.0, 9.0)


def test_no_calls_are_refused():
    with pytest.raises(ValueError, match="no call"):
        summarise([])
