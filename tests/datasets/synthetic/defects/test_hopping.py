from __future__ import annotations

import numpy as np
from lone_defects import SIZE, full_frames, regions_of, shares_of

from lwam_mm.datasets.synthetic.scene import HOPPING


def test_lines_stand_across_recoating_and_are_thin():
    for region in regions_of(HOPPING):
        assert region.height > 1.5 * region.width
        assert region.area / region.height <= 7


def test_ridges_reach_over_the_whole_bed_with_the_contrast_of_the_photographs():
    ridges = [region for region in regions_of(HOPPING) if region.height > 0.85 * SIZE]
    assert ridges
    for ridge in ridges:
        assert -0.043 <= ridge.contrast <= -0.02


def test_short_lines_are_faint_too():
    short = [region for region in regions_of(HOPPING) if region.height < 0.4 * SIZE]
    assert len(short) > 20
    contrasts = [region.contrast for region in short]
    assert min(contrasts) >= -0.11
    assert max(contrasts) <= -0.01


def test_a_light_edge_follows_the_dark_one():
    changes = []
    for image, clean, where in full_frames(HOPPING):
        dark = np.roll(where, 1, axis=1) & np.roll(where, 2, axis=1)
        behind = dark & ~where & ~np.roll(where, -1, axis=1)
        change = image / np.maximum(clean, 1).astype(float) - 1
        changes.append(change[behind].mean())
    assert np.mean(changes) > 0.008


def test_it_is_rare_in_pixels():
    assert shares_of(HOPPING).max() < 0.02
    assert np.median(shares_of(HOPPING)) < 0.006
