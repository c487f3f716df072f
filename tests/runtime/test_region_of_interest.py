import json
import pickle

import cv2
import numpy as np
import pytest

from lwam_mm.runtime.errors import ImageError, SettingError
from lwam_mm.runtime.region_of_interest import RegionOfInterest

TRIANGLE = [(0, 0), (4, 0), (0, 4)]


def write(path, text):
    path.write_text(text)
    return path


def test_a_polygon_with_its_edge():
    inside = RegionOfInterest(TRIANGLE).inside((5, 6))
    y, x = np.mgrid[:5, :6]
    assert np.array_equal(inside, x + y <= 4)


def test_a_polygon_serves_frames_of_any_size():
    region = RegionOfInterest(TRIANGLE)
    assert region.inside((5, 6)).shape == (5, 6)
    assert region.inside((10, 8)).shape == (10, 8)
    assert region.inside((10, 8)) is region.inside((10, 8))


def test_a_file_of_polygons_is_their_union(tmp_path):
    square = [[3, 3], [5, 3], [5, 4], [3, 4]]
    region = RegionOfInterest(write(tmp_path / "roi.json", json.dumps([TRIANGLE, square])))
    both = RegionOfInterest(TRIANGLE).inside((5, 6)) | RegionOfInterest(square).inside((5, 6))
    assert np.array_equal(region.inside((5, 6)), both)


def test_a_mask_fits_frames_of_its_size_alone(tmp_path):
    mask = np.zeros((5, 6), np.uint8)
    mask[1:3, 2:5] = 1
    cv2.imwrite(str(tmp_path / "roi.png"), mask)
    region = pickle.loads(pickle.dumps(RegionOfInterest(tmp_path / "roi.png")))
    assert np.array_equal(region.inside((5, 6)), mask > 0)
    with pytest.raises(SettingError, match=r"roi\.png has 6x5 pixels, the frame 5x6"):
        region.inside((6, 5))


def test_a_black_mask_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "roi.png"), np.zeros((5, 6), np.uint8))
    with pytest.raises(ImageError, match="black all over"):
        RegionOfInterest(tmp_path / "roi.png")


@pytest.mark.parametrize("point", [(-1, 0), (7, 0), (0, 6)])
def test_points_outside_the_frame_are_refused(point):
    with pytest.raises(SettingError, match=r"outside the frame of 6x5 pixels"):
        RegionOfInterest([*TRIANGLE, point]).inside((5, 6))


@pytest.mark.parametrize(
    "wrong",
    [[], [(0, 0), (1, 1)], [1, 2, 3], [(0, 0, 0)] * 3, [("a", "b")] * 3, [(0, float("nan"))] * 3],
)
def test_what_is_no_polygon_is_refused(wrong):
    with pytest.raises(SettingError, match=r"three or more points|not finite"):
        RegionOfInterest(wrong)


@pytest.mark.parametrize("text", ["{}", "[]", "[[", "3", "[3]", '{"a": 1}', "[[[0, 0], [1]]]"])
def test_a_file_that_holds_no_polygons_is_refused(tmp_path, text):
    with pytest.raises(SettingError, match=r"roi\.json"):
        RegionOfInterest(write(tmp_path / "roi.json", text))


def test_a_file_that_is_not_there_is_named_with_the_remedy(tmp_path):
    with pytest.raises(SettingError, match=r"roi\.json cannot be read.*name a JSON file"):
        RegionOfInterest(tmp_path / "roi.json")
