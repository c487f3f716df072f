import numpy as np
import pytest

from lwam_mm.datasets.synthetic import make_build
from lwam_mm.datasets.synthetic.chamber_view.fine_defects import (
    DRAW_ON_FRAMES,
    draw_dents,
    draw_glow,
    draw_holes,
    draw_ridges,
    draw_rippled_area,
    draw_scratches,
    draw_slivers,
    draw_thin_streaks,
)
from lwam_mm.datasets.synthetic.noise import generator
from lwam_mm.datasets.synthetic.scene import HOPPING, INCOMPLETE, STREAKING, SUPER, Canvas

SIZE = 512


def drawn(draw, seed):
    scene = make_build(0, 0, SIZE, 1).scene
    canvas = Canvas(SIZE)
    draw(canvas, scene, generator(seed))
    return canvas


@pytest.mark.parametrize(("defect", "draw"), DRAW_ON_FRAMES)
@pytest.mark.parametrize("seed", range(20))
def test_a_defect_is_labelled_where_it_changes_the_powder(defect, draw, seed):
    canvas = drawn(draw, seed)
    labelled = canvas.mask == defect
    assert set(np.unique(canvas.mask)) == {0, defect}
    change = np.abs(canvas.factor - 1)
    assert change[labelled].mean() > 3 * change[~labelled].mean()
    assert canvas.factor.min() > 0


def test_streaks_are_dark_thin_and_long():
    canvas = drawn(draw_thin_streaks, 1)
    _, columns = np.nonzero(canvas.mask == STREAKING)
    assert np.ptp(columns) > 40
    assert canvas.factor[canvas.mask == STREAKING].mean() < 1
    assert (canvas.mask == STREAKING).sum(axis=0).max() < 80  # px across, four pairs at most


def test_holes_are_small_with_a_dark_core():
    canvas = drawn(draw_holes, 1)
    assert (canvas.mask == INCOMPLETE).mean() < 0.05
    assert canvas.factor.min() < 0.9


def test_scratches_are_dark_and_about_a_pixel_wide():
    canvas = drawn(draw_scratches, 1)
    labelled = canvas.mask == STREAKING
    assert np.ptp(np.nonzero(labelled)[1]) > 40
    change = canvas.factor - 1
    assert change.max() <= 0
    deepest = change.min(axis=0)
    column = int(np.argmin(deepest))
    assert deepest[column] < -0.02
    assert (change[:, column] < 0.5 * deepest[column]).sum() <= 4  # px across a line


@pytest.mark.parametrize("seed", range(10))
def test_dents_are_small_and_dark_with_bright_flanks(seed):
    canvas = drawn(draw_dents, seed)
    assert (canvas.mask == INCOMPLETE).mean() < 0.02
    assert canvas.factor[canvas.mask == INCOMPLETE].mean() < 0.99
    assert canvas.factor.min() < 0.85
    assert 1.02 < canvas.factor.max() < 1.3


def test_ripples_vary_along_recoating_alone():
    canvas = drawn(draw_rippled_area, 2)
    rows = np.flatnonzero((canvas.mask == HOPPING).any(axis=1))
    middle = canvas.factor[rows[len(rows) // 2]]
    assert middle.min() < 0.995
    assert middle.max() > 1.005


@pytest.mark.parametrize("seed", range(5))
def test_ridges_are_thin_and_cross_the_recoating_direction(seed):
    canvas = drawn(draw_ridges, seed)
    labelled = canvas.mask == HOPPING
    assert labelled.any(axis=1).sum() > 60  # rows
    assert labelled.sum(axis=1).max() < 100  # px across, six ridges at most
    assert canvas.factor.max() > 1.01 or canvas.factor.min() < 0.99


def test_glowing_metal_is_brighter_than_powder():
    canvas = drawn(draw_glow, 1)
    assert canvas.factor[canvas.mask == SUPER].mean() > 1.3


@pytest.mark.parametrize("seed", range(10))
def test_slivers_are_small_and_bright(seed):
    canvas = drawn(draw_slivers, seed)
    assert (canvas.mask == SUPER).mean() < 0.02
    assert canvas.factor[canvas.mask == SUPER].mean() > 1
    assert canvas.factor.max() > 1.05
