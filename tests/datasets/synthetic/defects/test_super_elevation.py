from __future__ import annotations

import numpy as np
import pytest
from lone_defects import SAMPLES, regions_of, shares_of

from lwam_mm.datasets.synthetic.scene import SUPER


def test_bright_metal_has_the_contrast_and_texture_of_the_photographs():
    bright = [region for region in regions_of(SUPER) if region.contrast > 0]
    contrasts = np.array([region.contrast for region in bright])
    low, middle, high = np.percentile(contrasts, [5, 50, 95])
    assert low >= 0.47
    assert high <= 0.82
    assert middle == pytest.approx(0.63, abs=0.06)
    assert np.median([region.sigma for region in bright]) == pytest.approx(0.27, abs=0.03)


def test_some_parts_are_dark():
    dark = [region.contrast for region in regions_of(SUPER) if region.contrast < 0]
    assert 0 < len(dark) < 0.4 * len(regions_of(SUPER))
    assert max(dark) < -0.2


def test_parts_are_as_large_and_many_as_in_the_photographs():
    # 960 px in a 750 px frame are 1790 px here.
    assert 600 <= np.median([region.area for region in regions_of(SUPER)]) <= 3000
    per_frame = [sum(r.frame == k for r in regions_of(SUPER)) for k in range(SAMPLES)]
    assert 5 <= np.median(per_frame) <= 14
    assert shares_of(SUPER).min() >= 0.002
    assert shares_of(SUPER).max() <= 0.022
