from __future__ import annotations

import numpy as np
import pytest

from lwam_mm.datasets.synthetic.part_grid import sample_scene
from lwam_mm.datasets.synthetic.printer import sample_printer
from lwam_mm.datasets.synthetic.scene import Canvas, Part


def scene_of(index: int, size: int):
    return sample_scene((1, index), sample_printer((2, index)), size)


@pytest.mark.parametrize("size", [128, 1024])
def test_parts_stand_apart_and_inside_the_bed(size):
    for index in range(10):
        scene = scene_of(index, size)
        assert len(scene.parts) >= 9
        assert len(scene.lattices) == 3
        sites = [*scene.parts, *scene.lattices]
        left, top, right, bottom = scene.inset
        for part in sites:
            assert part.x - part.half_x > left
            assert part.x + part.half_x < size - right
            assert part.y - part.half_y > top
            assert part.y + part.half_y < size - bottom
        for i, one in enumerate(sites):
            for other in sites[:i]:
                apart_x = abs(one.x - other.x) - one.half_x - other.half_x
                apart_y = abs(one.y - other.y) - one.half_y - other.half_y
                assert max(apart_x, apart_y) >= 0


def test_rows_are_regular():
    scene = scene_of(0, 1024)
    sites = [*scene.parts, *scene.lattices]
    rows = sorted({round(site.y, 3) for site in sites})
    assert np.ptp(np.diff(rows)) < 1e-2
    first = sorted(site.x for site in sites if round(site.y, 3) == rows[0])
    assert np.ptp(np.diff(first)) < 1e-2


def test_the_layout_is_the_same_at_every_size():
    small, large = scene_of(3, 128), scene_of(3, 1024)
    assert len(small.parts) == len(large.parts)
    for one, other in zip(small.parts, large.parts, strict=True):
        assert one.x * 8 == pytest.approx(other.x)
        assert one.shape == other.shape


def test_distance_is_negative_inside_only():
    block = Part(x=50, y=40, half_x=10, half_y=5, shape="block")
    window, away = block.distance(100, margin=3)
    assert away.shape == (window[0].stop - window[0].start, window[1].stop - window[1].start)
    inside = np.zeros((100, 100), bool)
    inside[window] = away <= 0
    assert inside.sum() == 21 * 11
    assert inside[40, 50]
    ring = Part(x=50, y=50, half_x=20, half_y=20, shape="ring")
    window, away = ring.distance(100, margin=3)
    whole = np.ones((100, 100))
    whole[window] = away
    assert whole[50, 50] > 0
    assert whole[50, 65] < 0
    assert whole[50, 71] > 0


def test_canvas_labels_powder_only_and_metal_covers_all():
    canvas = Canvas(4)
    everything = (slice(0, 4), slice(0, 4))
    half = np.zeros((4, 4), bool)
    half[:2] = True
    canvas.paint(everything, half, np.full((4, 4), -0.5, np.float32) * half, label=2)
    canvas.paint(everything, ~half | half, np.full((4, 4), -0.1, np.float32), label=4)
    assert canvas.mask[:2].tolist() == [[2] * 4] * 2
    assert canvas.mask[2:].tolist() == [[4] * 4] * 2
    assert np.allclose(canvas.factor[:2], 0.5)
    assert np.allclose(canvas.factor[2:], 0.9)
    alpha = np.zeros((4, 4), np.float32)
    alpha[:, 0], alpha[:, 1] = 1.0, 0.4
    canvas.replace(everything, alpha, np.full((4, 4), 1.6, np.float32), label=1)
    assert np.allclose(canvas.factor[:, 0], 1.6)
    assert np.allclose(canvas.factor[:2, 1], 0.5 + 0.4 * 1.1)
    assert (canvas.mask[:, 0] == 1).all()
    assert (canvas.mask[:, 1] != 1).all()
