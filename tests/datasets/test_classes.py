import numpy as np
import pytest

from lwam_mm.datasets.classes import CLASSES, PALETTE, default_palette


def test_released_classes_and_colours():
    assert CLASSES == ("Background", "Super", "Incomplete", "Hopping", "Streaking", "Lattice")
    assert dict(zip(CLASSES, PALETTE, strict=True)) == {
        "Background": (0, 0, 0),
        "Super": (255, 0, 255),
        "Incomplete": (255, 0, 0),
        "Hopping": (0, 255, 0),
        "Streaking": (0, 255, 255),
        "Lattice": (0, 0, 255),
    }


@pytest.mark.parametrize("num_classes", [1, 2, 6, 40, 255])
def test_default_palette_tells_classes_apart(num_classes):
    palette = default_palette(num_classes)
    assert len(palette) == num_classes
    assert palette[0] == [0, 0, 0]
    assert len({tuple(colour) for colour in palette}) == num_classes
    assert all(isinstance(value, int) and 0 <= value <= 255 for c in palette for value in c)


def test_default_palette_of_six_is_told_apart_at_a_glance():
    palette = np.array(default_palette(6), float)
    distances = np.linalg.norm(palette[:, None] - palette[None], axis=2)
    assert distances[~np.eye(6, dtype=bool)].min() > 150


def test_default_palette_is_the_same_on_every_run():
    assert default_palette(9) == default_palette(9)
    assert default_palette(9)[:4] == default_palette(4)
