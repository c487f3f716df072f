"""Layers for the monitor's tests, and a config for them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_bundle import tiny_manifest, write_tiny_bundle

from lwam_mm.runtime import InputSpec

CONFIG = """
[watch]
folder = "watched"
pattern = '(?P<build>[A-Z]+)_(?P<layer>[0-9]+).*[.]png'
poll_s = 0.01
stable_polls = 1
decode_tries = 2
[model]
bundle = "bundle"
[policy]
background_layers = 2
[[policy.rules]]
class_name = "Incomplete"
severity = "critical"
least_area_px = 20
"""


def draw_layer(number: int, defect: bool = False, size: int = 64) -> np.ndarray:
    """Return a powder bed, red (class 0), with a blue square (class 2) if there is a defect."""
    grain = np.random.default_rng(number).integers(0, 40, (size, size), np.uint8)
    image = np.zeros((size, size, 3), np.uint8)
    image[:, :, 2] = 120 + grain
    image[: size // 2, : size // 2, 2] += 60  # something that the view's shift is measured by
    if defect:
        image[40:46, 30:36] = (255, 0, 0)
    return image


def write_layer(path: Path, number: int, defect: bool = False) -> None:
    """Write a drawn layer as PNG."""
    assert cv2.imwrite(str(path), draw_layer(number, defect))


@pytest.fixture
def place(tmp_path):
    """A folder with the bundle, the config and the watched folder."""
    spec = InputSpec("image", None, (0, 0, 0), (1, 1, 1), resize="pad")
    write_tiny_bundle(tmp_path, manifest=tiny_manifest(input=spec))
    (tmp_path / "watched").mkdir()
    (tmp_path / "monitor.toml").write_text(CONFIG)
    return tmp_path
