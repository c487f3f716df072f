from __future__ import annotations

import numpy as np
import pytest

from lwam_mm.datasets.synthetic.part_grid import sample_scene
from lwam_mm.datasets.synthetic.printer import sample_printer


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
