"""Which layers come late."""

from __future__ import annotations

import pytest

from lwam_mm.monitor.decide.order import LayerOrder


def late(*numbers, again=()):
    order = LayerOrder()
    return [n for at, n in enumerate(numbers) if order.comes_late(n, at in again)]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((1, 2, 3, 4), []),
        ((0, 300, 301), []),  # the camera was off
        ((60, 62, 61, 63), [61]),
        ((60, 62, 61, 64, 63, 65), [61, 63]),
        ((118, 119, 120, 999, 121, 122, 123, 124), [121, 122]),
        ((118, 119, 120, 999, 1000, 121, 122, 123, 124), [121, 122]),
        ((999, 1, 2, 3, 4), [1, 2]),  # the very first
        ((120, 999, 121, 998, 122, 123, 124), [121, 998, 122, 123]),  # each above the last
        ((500, 501, 502, 1, 2, 3, 4), [1, 2]),  # what was left of another print
        ((120, 999, 122, 121, 123, 124, 125), [122, 121, 123]),
    ],
)
def test_a_number_that_is_too_high_counts_until_three_layers_go_on_below(numbers, expected):
    assert late(*numbers) == expected


def test_layers_that_fill_a_gap_stay_late():
    filling = tuple(range(4, 50))
    assert late(1, 2, 3, 50, 51, 52, *filling, 53) == list(filling)
    assert late(2, 4, 6, 8, 3, 5, 7, 10) == [3, 5, 7]
    # Also when layers from above the gap come between.
    assert late(1, 50, 51, 52, 4, 53, 5, 6, 54, 7) == [4, 5, 6, 7]


def test_another_print_into_the_same_names_is_followed():
    first, second = range(1, 40), range(1, 60)
    again = range(len(first), 2 * len(first))
    assert late(*first, *second, again=again) == [1, 2]
