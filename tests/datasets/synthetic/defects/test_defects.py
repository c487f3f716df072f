"""What holds for every defect."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from lone_defects import frames_of

from lwam_mm.datasets.synthetic.scene import HOPPING, INCOMPLETE, LATTICE, STREAKING, SUPER


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("defect", [SUPER, INCOMPLETE, HOPPING, STREAKING, LATTICE])
def test_small_frames_show_every_defect_at_least_2_px_thick(defect, size):
    # A piece that outlives an opening by 2x2 px is that thick somewhere.
    for _, _, where in frames_of(defect, size, 20):
        kernel = np.ones((2, 2), np.uint8)
        opened = cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_OPEN, kernel)
        assert opened.sum() > 0.5 * where.sum() > 0
