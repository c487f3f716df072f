from __future__ import annotations

import numpy as np
import pytest
from lone_defects import SAMPLES, SIZE, regions_of

from lwam_mm.datasets.synthetic.scene import STREAKING


def test_lines_are_long_straight_and_along_recoating():
    for region in regions_of(STREAKING):
        assert 3 <= region.height <= 16
        assert region.width >= 0.44 * SIZE
        assert region.area == pytest.approx(region.width * region.height, rel=0.03)


def test_one_to_three_a_frame():
    per_frame = [sum(r.frame == k for r in regions_of(STREAKING)) for k in range(SAMPLES)]
    assert set(per_frame) == {1, 2, 3}


def test_contrast_is_mostly_dark_some_faint():
    contrasts = np.array([region.contrast for region in regions_of(STREAKING)])
    strong = contrasts[contrasts < -0.035]
    faint = contrasts[(contrasts > -0.035) & (contrasts < 0)]
    assert len(strong) > 0.6 * len(contrasts)
    # 8-bit rounding moves a mean by a few tenths of a per cent.
    assert strong.min() >= -0.105
    assert strong.max() <= -0.040
    assert np.median(strong) == pytest.approx(-0.054, abs=0.008)
    assert len(faint) >= 1
    assert faint.min() >= -0.025
    assert faint.max() <= -0.005
