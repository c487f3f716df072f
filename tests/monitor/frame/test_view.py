import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwam_mm.monitor.frame.view import find_shift, outline


def scene(x, y, brightness=1.0):
    """A plate's edge and two parts on noise, drawn x and y px further."""
    draw = np.random.default_rng(abs(hash((x, y))) % 2**32)
    frame = np.full((480, 640), 90, np.uint8)
    cv2.rectangle(frame, (60 + x, 50 + y), (580 + x, 430 + y), 120, 3)
    cv2.circle(frame, (200 + x, 200 + y), 40, 140, -1)
    cv2.circle(frame, (400 + x, 300 + y), 25, 60, -1)
    noisy = brightness * frame + draw.normal(0, 3, frame.shape)
    return noisy.clip(0, 255).astype(np.uint8)


@settings(max_examples=30, deadline=None)
@given(st.integers(-40, 40), st.integers(-40, 40), st.floats(0.6, 1.4))
def test_a_shift_is_found_whatever_the_light(x, y, brightness):
    reference, found = outline(scene(0, 0)), outline(scene(x, y, brightness))
    dx, dy, gain = find_shift(reference, found)
    scale = 640 / max(reference.shape)
    assert (dx * scale, dy * scale) == pytest.approx((x, y), abs=1.5)
    assert gain > 0.1 or np.hypot(x, y) < 5


def test_noise_explains_nothing():
    draw = np.random.default_rng(0)
    first, second = draw.integers(80, 100, (2, 480, 640), dtype=np.uint8)
    assert find_shift(outline(first), outline(second))[2] < 0.08
    flat = outline(np.full((480, 640), 90, np.uint8))
    assert find_shift(flat, flat)[2] == 0


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (2, 500), (8, 1500), (1, 1)])
def test_a_frame_of_hardly_any_width_has_no_shift_across(size):
    draw = np.random.default_rng(0)
    frame = outline(draw.integers(0, 255, size, dtype=np.uint8))
    assert np.isfinite(find_shift(frame, frame)).all()
