from __future__ import annotations

import numpy as np
from lone_defects import full_frames, regions_of, shares_of

from lwam_mm.datasets.synthetic.scene import LATTICE


def test_small_square_and_bright():
    assert shares_of(LATTICE).max() <= 0.001
    for region in regions_of(LATTICE):
        assert abs(region.width - region.height) <= 1
        assert region.area == region.width * region.height
        assert 0.15 <= region.contrast <= 0.6
        assert region.sigma > 0.15


def test_struts_repeat_with_a_pitch_of_a_few_pixels():
    for image, clean, where in full_frames(LATTICE):
        rows, columns = np.nonzero(where)
        y, x = rows[0], columns[0]
        side = int(where[y].sum()) if where[y].sum() <= 24 else 17
        change = image / np.maximum(clean, 1).astype(float) - 1
        patch = change[y : y + 17, x : x + min(side, 17)]
        bright = patch > 0.5 * patch.max()
        assert 0.2 < bright.mean() < 0.85
        crossings = max(np.abs(np.diff(line.astype(int))).sum() for line in [*bright, *bright.T])
        assert crossings >= 4
