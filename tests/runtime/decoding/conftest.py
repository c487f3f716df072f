from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "layer"


@pytest.fixture(scope="session")
def noise() -> np.ndarray:
    """RGBA of 20x30; a reader that multiplies by alpha, turns or swaps anything is noticed."""
    return np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)


@pytest.fixture(scope="session")
def deep() -> np.ndarray:
    """The same in 16 bits."""
    return np.random.default_rng(1).integers(0, 65536, (20, 30, 4), np.uint16)


@pytest.fixture(scope="session")
def smooth() -> np.ndarray:
    """RGB of 200x300 that compresses."""
    grain = np.random.default_rng(2).integers(0, 256, (200, 300, 3), np.uint8)
    return cv2.GaussianBlur(grain, (0, 0), 3)
