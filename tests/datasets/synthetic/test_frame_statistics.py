from __future__ import annotations

import cv2
import numpy as np
import pytest
from frame_statistics import measure_contrast, measure_grain, measure_light_range


def test_grain_and_lighting_of_a_known_frame():
    white = np.random.default_rng(0).standard_normal((400, 400)).astype(np.float32)
    blurred = cv2.GaussianBlur(white, (0, 0), 1.0)
    light = np.linspace(80, 120, 400, dtype=np.float32)[None, :].repeat(400, 0)
    image = light * (1 + 0.03 * blurred / blurred.std())
    sigma, correlation = measure_grain(image, light)
    assert sigma == pytest.approx(0.03, rel=0.02)
    assert correlation == pytest.approx(np.exp(-1 / 4), abs=0.02)
    estimated, _ = measure_grain(image)
    assert estimated == pytest.approx(0.03, rel=0.05)
    assert measure_light_range(image) == pytest.approx(0.4, abs=0.05)


def test_contrast_is_relative_to_the_clean_frame():
    clean = np.full((10, 10), 100, np.uint8)
    image = clean.copy()
    image[:5] = 60
    where = np.zeros((10, 10), bool)
    where[:5] = True
    assert measure_contrast(image, clean, where) == pytest.approx(-0.4)
    assert measure_contrast(image, clean, ~where) == 0
