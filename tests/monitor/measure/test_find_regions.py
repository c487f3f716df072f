import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lwam_mm.monitor.measure.background import Background
from lwam_mm.monitor.measure.find_regions import find_regions
from lwam_mm.monitor.measure.parts import PartMap
from lwam_mm.monitor.measure.plate import Plate
from lwam_mm.runtime import SettingError

CLASSES = ["Background", "Super", "Streaking"]
LABELS = arrays(np.uint8, (9, 12), elements=st.integers(0, 2))


def flood(labels, label):
    """Regions of a class by a search from pixel to pixel."""
    left = {tuple(point) for point in np.argwhere(labels == label)}
    regions = []
    while left:
        todo, region = [left.pop()], []
        while todo:
            y, x = todo.pop()
            region.append((y, x))
            around = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= around
            todo += around
        regions.append(np.array(region))
    return regions


@settings(max_examples=100, deadline=None)
@given(LABELS, arrays(np.float32, (3, 9, 12), elements=st.floats(0, 1, width=32)))
def test_regions_are_those_of_a_search_from_pixel_to_pixel(labels, probabilities):
    found = find_regions(labels, CLASSES, probabilities=probabilities)
    got = sorted(
        (r.class_name, r.area_px, r.x, r.y, r.width, r.height, r.centre_x, r.centre_y)
        for r in found
    )
    wanted = []
    for label, name in list(enumerate(CLASSES))[1:]:
        for pixels in flood(labels, label):
            (y, x), (bottom, right) = pixels.min(0), pixels.max(0)
            centre = pixels.mean(0)
            wanted.append(
                (name, len(pixels), x, y, right - x + 1, bottom - y + 1, centre[1], centre[0])
            )
    for one, other in zip(got, sorted(wanted), strict=True):
        assert one[:6] == other[:6]
        assert one[6:] == pytest.approx(other[6:])
    total = sum(r.mean_probability * r.area_px for r in found)
    defects = labels > 0
    rows, columns = np.nonzero(defects)
    assert total == pytest.approx(probabilities[labels[defects], rows, columns].sum(), abs=1e-3)


@settings(max_examples=50, deadline=None)
@given(LABELS, arrays(bool, (9, 12)))
def test_nothing_outside_of_the_region_of_interest_is_found(labels, roi):
    found = find_regions(labels, CLASSES, roi=roi)
    assert sum(region.area_px for region in found) == np.count_nonzero(labels[roi])


@settings(max_examples=50, deadline=None)
@given(LABELS, LABELS)
def test_the_background_splits_regions_and_loses_no_pixel(first, second):
    background = Background(layers=1, reach_px=0)
    background.learn(first)
    found = find_regions(second, CLASSES, background=background)
    stands = (first == second) & (second > 0)
    assert sum(r.area_px for r in found if r.background) == np.count_nonzero(stands)
    assert sum(r.area_px for r in found) == np.count_nonzero(second)


def test_a_ring_of_background_does_not_hide_what_appears_inside():
    ring = np.zeros((100, 100), np.uint8)
    cv2.circle(ring, (50, 50), 40, 1, 4)
    background = Background(layers=3, reach_px=3)
    for shift in (0, 1, -1):
        background.learn(np.roll(ring, shift, axis=1))
    grown = np.roll(ring, 2, axis=0)
    grown[45:55, 45:55] = 1
    found = find_regions(grown, CLASSES, background=background)
    assert [(r.area_px, r.x) for r in found if not r.background] == [(100, 45)]


def test_what_is_seen_once_in_the_first_layers_is_no_background():
    spot = np.zeros((20, 20), np.uint8)
    spot[5:9, 5:9] = 2
    background = Background(layers=3)
    for labels in (spot, 0 * spot, 0 * spot):
        assert not background.learned
        background.learn(labels)
    assert background.learned
    assert background.place(2) is None
    background.learn(spot)
    assert background.place(2) is None


def test_small_regions_are_noise():
    labels = np.array([[1, 0, 1, 1, 0]], np.uint8)
    assert [r.area_px for r in find_regions(labels, CLASSES, least_px=2)] == [2]


def test_places_areas_and_distances_are_in_mm():
    labels = np.zeros((100, 100), np.uint8)
    labels[10:20, 40:60] = 1
    parts = np.zeros((100, 100), np.int32)
    parts[50:60, 40:60] = 8
    plate = Plate([(0, 0), (100, 0), (100, 100), (0, 100)], [(0, 20), (20, 20), (20, 0), (0, 0)])
    (region,) = find_regions(labels, CLASSES, plate=plate, parts=PartMap(parts))
    assert region.area_mm2 == pytest.approx(200 * 0.04)
    assert (region.plate_x_mm, region.plate_y_mm) == pytest.approx((9.9, 20 - 2.9))
    assert (region.part_id, region.over_part) == (8, False)
    assert region.part_distance_mm == pytest.approx(31 * 0.2)
    (region,) = find_regions(labels, CLASSES, parts=PartMap(parts))
    assert (region.part_id, region.part_distance_mm) == (8, None)
    (region,) = find_regions(labels, CLASSES, parts=PartMap(np.roll(parts, -35, axis=0)))
    assert (region.part_id, region.part_distance_mm, region.over_part) == (8, 0, True)


@pytest.mark.parametrize(
    "wrong",
    [
        dict(roi=np.ones((3, 4), bool)),
        dict(probabilities=np.ones((3, 3, 4), np.float32)),
        dict(parts=PartMap(np.zeros((3, 4), np.uint8))),
    ],
)
def test_an_array_of_another_size_is_refused(wrong):
    with pytest.raises(SettingError, match=r"has the shape \(3, 4\), but the mask \(4, 4\)"):
        find_regions(np.zeros((4, 4), np.uint8), CLASSES, **wrong)


def test_more_regions_than_16_bits_can_number_are_kept_apart():
    labels = np.zeros((600, 600), np.uint8)
    labels[::2, ::2] = 1
    labels[300:303, 300:303] = 1  # joins four of the lone pixels
    (region,) = find_regions(labels, CLASSES, least_px=2)
    assert (region.x, region.y, region.area_px) == (300, 300, 9)
