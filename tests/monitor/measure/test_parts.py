import cv2
import numpy as np
import pytest

from lwam_mm.monitor.measure.parts import PartMap, PartNumbers
from lwam_mm.runtime import SettingError


def test_parts_keep_their_numbers_through_a_real_build(shared_data):
    numbers = PartNumbers()
    paths = sorted((shared_data / "lpbf_builds/SI377320210706074338/parts").iterdir())
    places = {}
    for path in paths:
        parts = numbers.number(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        for part in np.unique(parts[parts > 0]):
            rows, columns = np.nonzero(parts == part)
            places.setdefault(int(part), []).append((rows.mean(), columns.mean()))
    lasting = [place for place in places.values() if len(place) == len(paths)]
    assert len(lasting) >= 2
    for place in lasting:
        assert np.ptp(np.array(place), axis=0).max() < 40  # it grows, it does not jump


def test_a_part_that_splits_gives_its_number_to_the_larger_half():
    numbers = PartNumbers()
    whole, halves = np.zeros((2, 20, 20), np.uint8)
    whole[2:18, 2:18] = 255
    halves[2:6, 2:18] = halves[8:18, 2:18] = 255
    assert set(np.unique(numbers.number(whole))) == {0, 1}
    assert set(np.unique(numbers.number(np.zeros_like(whole)))) == {0}
    found = numbers.number(halves)
    assert (found[10, 10], found[3, 3]) == (1, 2)


def test_what_is_known_of_the_parts_outlives_the_program():
    masks = np.zeros((3, 8, 12), np.uint8)
    masks[0, 1:4, 1:4] = masks[0, 1:4, 7:10] = 255
    masks[1, 1:4, 7:10] = 255
    masks[2, 1:4, 7:10] = masks[2, 5:7, 1:4] = 255
    one = PartNumbers()
    assert one.memory is None
    for mask in masks[:2]:
        one.number(mask)
    done, png = cv2.imencode(".png", one.memory)
    assert done
    other = PartNumbers(cv2.imdecode(png, cv2.IMREAD_UNCHANGED))
    found = other.number(masks[2])
    np.testing.assert_array_equal(found, one.number(masks[2]))
    assert (found[2, 8], found[6, 2]) == (2, 3)  # 1 was used before


def test_a_mask_with_numbers_is_taken_as_it_is():
    mask = np.array([[0, 7, 0, 9]], np.uint16)
    np.testing.assert_array_equal(PartNumbers().number(mask), mask)


def test_the_nearest_part_and_its_distance_are_those_of_a_search():
    draw = np.random.default_rng(1)
    parts = np.zeros((60, 80), np.int32)
    for number in range(1, 6):
        y, x = draw.integers(0, 50), draw.integers(0, 70)
        parts[y : y + 5, x : x + 5] = number
    found = PartMap(parts)
    known = np.argwhere(parts > 0)
    for y, x in draw.integers(0, 60, (50, 2)):
        distances = np.hypot(*(known - (y, x)).T)
        part, distance = found.nearest((slice(y, y + 1), slice(x, x + 1)), np.ones((1, 1), bool))
        assert distance == pytest.approx(distances.min(), rel=0.03, abs=0.01)
        nearest = known[distances <= distances.min() * 1.05 + 0.01]
        assert part in parts[tuple(nearest.T)]


def test_a_region_on_a_part_is_at_no_distance():
    parts = np.array([[0, 0, 3, 3, 4]], np.int32)
    window = (slice(0, 1), slice(1, 5))
    assert PartMap(parts).nearest(window, np.ones((1, 4), bool)) == (3, 0.0)
    # Only the region's own pixels count, not those of its box.
    assert PartMap(parts).nearest(window, np.array([[True, False, False, False]])) == (3, 1.0)
    assert PartMap(0 * parts).nearest(window, np.ones((1, 4), bool)) == (None, None)


def test_a_mask_that_is_no_mask_is_refused():
    with pytest.raises(SettingError, match="whole numbers"):
        PartMap(np.zeros((3, 3)))
    assert PartMap(np.zeros((3, 3), np.uint8)).empty
