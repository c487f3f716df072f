import numpy as np
import pytest

from lwam_mm.runtime import draw_overlay

PALETTE = ((0, 0, 0), (255, 0, 255), (255, 100, 0))


def test_classes_are_blended_in_their_colours_and_the_background_is_untouched(picture):
    image = picture(6, 8)
    labels = np.zeros((6, 8), np.uint8)
    labels[1, 2], labels[3, 4] = 1, 2
    before = image.copy()
    overlay = draw_overlay(image, labels, PALETTE)
    np.testing.assert_array_equal(image, before)
    assert overlay.dtype == np.uint8
    np.testing.assert_array_equal(overlay[labels == 0], image[labels == 0])
    for place, bgr in [((1, 2), (255, 0, 255)), ((3, 4), (0, 100, 255))]:
        assert np.abs(overlay[place] - (image[place] / 2 + np.array(bgr) / 2)).max() <= 0.5


@pytest.mark.parametrize("opacity", [0.0, 1.0])
def test_opacity_runs_from_the_image_to_the_colours(picture, opacity):
    image = picture(6, 8)
    overlay = draw_overlay(image, np.full((6, 8), 2, np.uint8), PALETTE, opacity)
    expected = image if opacity == 0 else np.broadcast_to((0, 100, 255), (6, 8, 3))
    np.testing.assert_array_equal(overlay, expected)
