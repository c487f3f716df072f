import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwam_mm.monitor.measure.plate import Plate
from lwam_mm.runtime import SettingError

CORNERS = [(100, 80), (900, 120), (860, 940), (60, 900)]
PLATE = [(0, 250), (250, 250), (250, 0), (0, 0)]


def test_the_points_themselves_fall_where_they_were_said_to():
    plate = Plate(CORNERS, PLATE)
    np.testing.assert_allclose(plate.to_mm(CORNERS), PLATE, atol=1e-6)
    assert plate.residual_mm is None  # four points fit whatever they are


def test_a_fifth_point_shows_the_error():
    centre = Plate(CORNERS, PLATE).to_mm([(480, 500)])[0]
    right = Plate([*CORNERS, (480, 500)], [*PLATE, tuple(centre)])
    assert right.residual_mm == pytest.approx(0, abs=1e-4)
    wrong = Plate([*CORNERS, (480, 500)], [*PLATE, (centre[0] + 3, centre[1])])
    assert 0.5 < wrong.residual_mm <= 3


@settings(max_examples=50, deadline=None)
@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0.02, 2))
def test_the_pixels_of_the_plate_add_up_to_its_area(dx, dy, scale):
    corners = [(0, 0), (100 + dx, 0), (100, 100 + dy), (0, 100)]
    plate = Plate(
        corners, [(x * scale, y * scale) for x, y in [(0, 0), (100, 0), (100, 80), (0, 80)]]
    )
    # A small square's area by its corners, against the figure for one pixel.
    square = plate.to_mm([(49.5, 49.5), (50.5, 49.5), (50.5, 50.5), (49.5, 50.5)])
    x, y = square.T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    assert plate.mm2_per_px([(50, 50)])[0] == pytest.approx(area, rel=1e-3)


@pytest.mark.parametrize(
    ("image", "plate", "error"),
    [
        (CORNERS[:3], PLATE[:3], "3 image points"),
        (CORNERS, PLATE[:3], "4 image points and 3 plate points"),
        ([(0, 0), (1, 1), (2, 2), (3, 3)], PLATE, "on a line"),
        (CORNERS, [(0, 0), (1, 0), (2, 0), (3, 0)], "on a line"),
        ([CORNERS[0], CORNERS[2], CORNERS[1], CORNERS[3]], PLATE, "order"),
        ([(np.nan, 0), *CORNERS[1:]], PLATE, "finite"),
    ],
)
def test_points_that_make_no_plate_are_refused(image, plate, error):
    with pytest.raises(SettingError, match=error):
        Plate(image, plate)
