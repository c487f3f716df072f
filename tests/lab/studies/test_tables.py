from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lwam_mm.lab.studies.tables import paired_difference, summarize


def test_spread_is_the_sample_standard_deviation():
    summary = summarize([1.0, 2.0, 6.0])
    assert summary.mean == 3.0
    assert summary.spread == pytest.approx(7**0.5)
    assert summarize([4.0]).spread is None
    assert summarize([]) is None


def test_interval_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(1, 1, 5), rng.normal(0, 1, 5)
    found = paired_difference(dict(enumerate(ours)), dict(enumerate(theirs)))
    interval = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert found.mean - found.half_width == pytest.approx(interval.low)
    assert found.mean + found.half_width == pytest.approx(interval.high)


def test_pairs_go_by_seed_whatever_the_order():
    found = paired_difference({2: 5.0, 0: 1.0, 9: 100.0}, {0: 0.0, 2: 4.0, 3: -100.0})
    assert (found.mean, found.half_width) == (1.0, 0.0)
    assert found.is_clear


def test_one_pair_has_no_interval_and_is_not_clear():
    found = paired_difference({0: 5.0}, {0: 1.0})
    assert (found.mean, found.half_width, found.is_clear) == (4.0, None, False)
    assert paired_difference({0: 5.0}, {1: 1.0}) is None
