from __future__ import annotations

import numpy as np

from lwam_mm.evaluation.regions import PREDICTED, TRUE, count_regions


def test_a_row_a_class_and_one_for_any_defect():
    """Class 1: two regions, one of them found. Class 2: predicted where class 1 is."""
    truth = np.array([[1, 1, 0, 1, 1, 0]], np.uint8)
    prediction = np.array([[1, 1, 0, 2, 0, 0]])
    counts = count_regions(truth, prediction, 3, (0.5, 0.75))
    assert counts.dtype == np.int64
    assert counts.shape == (4, 2, 3)
    assert not counts[0].any()  # the background has no regions
    assert counts[1, TRUE].tolist() == [2, 1, 1]
    assert counts[1, PREDICTED].tolist() == [1, 1, 1]
    assert counts[2].tolist() == [[0, 0, 0], [1, 0, 0]]
    assert counts[3, TRUE].tolist() == [2, 2, 1]  # half of the second one is found as class 2
    assert counts[3, PREDICTED].tolist() == [2, 2, 2]


def test_sides_are_alike():
    random = np.random.default_rng(0)
    first, second = random.choice(3, (2, 12, 15), p=[0.6, 0.2, 0.2])
    counts = count_regions(first, second, 3, (0.1, 0.5))
    swapped = count_regions(second, first, 3, (0.1, 0.5))
    np.testing.assert_array_equal(counts, swapped[:, ::-1])
    assert counts[1:, :, 0].all()


def test_small_regions_are_not_counted_but_cover_others():
    truth, prediction = np.array([[1, 0, 0, 1, 1, 1]]), np.array([[1, 1, 1, 0, 0, 1]])
    counts = count_regions(truth, prediction, 2, (0.3,), min_area=3)
    assert counts[1].tolist() == [[1, 1], [1, 1]]


def test_a_region_of_ignored_pixels_alone_does_not_count():
    truth, prediction = np.array([[9, 9, 0, 1]]), np.array([[1, 1, 0, 1]])
    counts = count_regions(truth, prediction, 2, (1.0,), ignore_index=9)
    assert counts[1].tolist() == [[1, 1], [1, 1]]
