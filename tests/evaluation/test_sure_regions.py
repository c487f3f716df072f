from __future__ import annotations

import numpy as np
import pytest

from lwam_mm.evaluation.sure_regions import sure_regions


@pytest.fixture
def seen():
    """Two regions of class 1 that class 2 parts, with mean probabilities of 0.6 and 0.9."""
    labels = np.array([[1, 1, 2, 1], [0, 1, 2, 1]])
    probabilities = np.zeros((3, 2, 4))
    probabilities[1] = [[0.5, 0.6, 0.2, 0.8], [0.9, 0.7, 0.2, 1.0]]
    probabilities[2, :, 2] = 0.8
    return labels, probabilities


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (0, [[1, 1, 2, 1], [0, 1, 2, 1]]),
        (0.59, [[1, 1, 2, 1], [0, 1, 2, 1]]),
        (0.61, [[0, 0, 2, 1], [0, 0, 2, 1]]),
        (0.85, [[0, 0, 0, 1], [0, 0, 0, 1]]),
        (1, [[0, 0, 0, 0], [0, 0, 0, 0]]),
    ],
)
def test_regions_below_the_least_mean_probability_become_background(seen, least, expected):
    labels, probabilities = seen
    before = labels.copy()
    assert sure_regions(labels, probabilities, least).tolist() == expected
    assert (labels == before).all()


def test_pixels_that_touch_at_a_corner_are_one_region():
    labels = np.array([[1, 0], [0, 1]])
    probabilities = np.array([[[0.1, 1], [1, 0.5]], [[0.9, 0], [0, 0.5]]])
    assert sure_regions(labels, probabilities, 0.7).tolist() == labels.tolist()
