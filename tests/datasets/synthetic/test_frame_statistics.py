from __future__ import annotations

import cv2
import numpy as np
import pytest

from lwam_mm.datasets.synthetic.frame_statistics import contrast_of, grain_of, light_range_of


def test_grain_and_lighting_of_a_known_frame():
    white = np.random.default_rng(0).standard_normal((400, 400)).astype(np.float32)
    blurred = cv2.GaussianBlur(white, (0, 0), 1.0)
    light = np.linspace(80, 120, 400, dtype=np.float32)[None, :].repeat(400, 0)
    image = light * (1 + 0.03 * blurred / blurred.std())
    sigma, correlation = grain_of(image, light)
    assert sigma == pytest.approx(0.03, rel=0.02)
    assert correlation == pytest.approx(np.exp(-1 / 4), abs=0.02)
    estimated, _ = grain_of(image)
    assert estimated == pytest.approx(0.03, rel=0.05)
    assert light_range_of(image) == pytest.approx(0.4, abs=0.05)


def test_contrast_is_relative_to_the_clean_frame():
    clean = np.full((10, 10), 100, np.uint8)
    image = clean.copy()
    image[:5] = 60
    where = np.zeros((10, 10), bool)
    where[:5] = True
    assert contrast_of(image, clean, where) == pytest.approx(-0.4)
    assert contrast_of(image, clean, ~where) == 0
