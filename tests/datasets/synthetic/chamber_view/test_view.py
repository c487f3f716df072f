from itertools import pairwise

import numpy as np
import pytest

from lwam_mm.datasets.synthetic import make_build
from lwam_mm.datasets.synthetic.chamber_view import ChamberView
from lwam_mm.datasets.synthetic.scene import HOPPING, INCOMPLETE, STREAKING, SUPER

SIZE = 160


@pytest.fixture(scope="module")
def layers():
    """Two layers of each of 24 builds: image and mask."""
    views = [ChamberView.of(make_build(3, index, SIZE, 2)) for index in range(24)]
    return [[view.draw_layer(layer) for layer in range(2)] for view in views]


def test_equal_builds_give_equal_layers(layers):
    image, mask = ChamberView.of(make_build(3, 5, SIZE, 2)).draw_layer(1)
    assert np.array_equal(image, layers[5][1][0])
    assert np.array_equal(mask, layers[5][1][1])


def test_layers_of_a_build_share_camera_and_marks(layers):
    """Their low frequencies agree far better than those of two builds."""

    def likeness(one, other):
        small = [np.float64(image[::8, ::8]).ravel() for image in (one, other)]
        return np.corrcoef(*small)[0, 1]

    within = np.median([likeness(first[0], second[0]) for first, second in layers])
    across = np.median([likeness(a[0][0], b[0][0]) for a, b in pairwise(layers)])
    assert within > 0.9
    assert across < 0.7


def test_images_and_masks_are_as_a_data_set_wants_them(layers):
    for build in layers:
        for image, mask in build:
            assert image.shape == mask.shape == (SIZE, SIZE)
            assert image.dtype == mask.dtype == np.uint8
            assert set(np.unique(mask)) <= {0, 1, 2, 3, 4, 5, 255}


def test_defects_of_all_kinds_occur_and_clean_layers_too(layers):
    labels = [set(np.unique(mask)) - {0, 255} for build in layers for _, mask in build]
    for defect in (SUPER, INCOMPLETE, HOPPING, STREAKING):
        assert 0.1 < np.mean([defect in found for found in labels]) < 0.8
    assert 0.2 < np.mean([not found for found in labels]) < 0.6


def test_frames_differ_in_brightness(layers):
    means = [image.mean() for build in layers for image, _ in build]
    assert max(means) > 2 * min(means)
