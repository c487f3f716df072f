"""Which pixels of a frame count."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from lwam_mm.monitor.measure.region_of_interest import MOST_PX, read_mask, region_of_interest
from lwam_mm.utils.errors import ConfigError

FAR = MOST_PX


def test_a_polygon_is_cut_off_at_the_frames_edges():
    inside = region_of_interest([(-FAR, -FAR), (FAR, -FAR), (FAR, FAR), (-FAR, FAR)], (8, 12))
    assert inside.all()
    half = region_of_interest([(6, -5), (99, -5), (99, 99), (6, 99)], (8, 12))
    assert (half == (np.arange(12) >= 6)).all()


@pytest.mark.parametrize(
    "polygon",
    [
        [(20, 0), (30, 0), (30, 8)],
        [(-9, -9), (-2, -9), (-2, -2)],
        [(FAR, FAR), (FAR - 1, FAR), (FAR, FAR - 1)],
    ],
)
def test_a_polygon_outside_of_the_frame_is_refused_at_once(polygon):
    started = time.monotonic()
    with pytest.raises(
        ConfigError, match=r"measure.roi: .* lies outside of the frame of 12 x 8 px"
    ):
        region_of_interest(polygon, (8, 12))
    assert time.monotonic() - started < 1


def test_a_mask_counts_where_it_is_not_black(tmp_path):
    red = np.zeros((8, 12, 3), np.uint8)
    red[2:4, 5:7, 2] = 200
    cv2.imwrite(str(tmp_path / "roi.png"), red)
    assert region_of_interest(tmp_path / "roi.png", (8, 12)).sum() == 4
    with pytest.raises(ConfigError, match=r"roi.png is 12 x 8 px, the frame 8 x 12"):
        region_of_interest(tmp_path / "roi.png", (12, 8))


def test_a_mask_that_cannot_be_used_is_named(tmp_path):
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((8, 12), np.uint8))
    with pytest.raises(ConfigError, match=r"measure.roi: .*black.png is black all over: paint"):
        read_mask(tmp_path / "black.png")
    with pytest.raises(ConfigError, match=r"measure.roi: .*gone.png does not exist"):
        read_mask(tmp_path / "gone.png")
