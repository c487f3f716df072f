from __future__ import annotations

import numpy as np
import pytest
from lone_defects import SAMPLES, SIZE, contrasts_of, full_frames, regions_of, shares_of

from lwam_mm.datasets.synthetic.scene import INCOMPLETE


def test_contrast():
    contrasts = contrasts_of(INCOMPLETE)
    assert contrasts.min() >= -0.52
    assert contrasts.max() <= -0.30
    short_feed = contrasts[contrasts < -0.345]
    assert len(short_feed) > SAMPLES / 2
    bare_plate = contrasts[contrasts >= -0.345]
    assert len(bare_plate) >= 1
    assert bare_plate.mean() == pytest.approx(-0.32, abs=0.02)


def test_it_is_one_large_area():
    shares = shares_of(INCOMPLETE)
    assert shares.min() >= 0.02
    assert shares.max() <= 0.49
    assert shares[contrasts_of(INCOMPLETE) >= -0.345].min() >= 0.24
    for frame in range(SAMPLES):
        areas = [region.area for region in regions_of(INCOMPLETE) if region.frame == frame]
        assert max(areas) > 0.4 * sum(areas)


def test_the_front_is_sharp_and_the_tail_lies_along_recoating():
    for image, clean, where in full_frames(INCOMPLETE):
        columns = where.sum(axis=0).astype(float)
        filled = np.cumsum(columns) / columns.sum()
        middle = np.searchsorted(filled, 0.5)
        # The densest columns lie before the middle of the whole extent, towards the front.
        start, end = np.flatnonzero(columns)[[0, -1]]
        assert middle - start < 0.55 * (end - start)
        # Streaked along recoating: edges across it are far more frequent.
        across = np.count_nonzero(np.diff(where.astype(np.int8), axis=0))
        along = np.count_nonzero(np.diff(where.astype(np.int8), axis=1))
        assert across > 2 * along
        # The front falls from powder to bare ground within a few pixels.
        rows = np.flatnonzero(where.sum(axis=1) > 40)[::7]
        first = where[rows].argmax(axis=1)
        keep = (first > 12) & (first < SIZE - 40)
        change = image / np.maximum(clean, 1).astype(float) - 1
        before = np.median(
            [change[r, c - 10] for r, c in zip(rows[keep], first[keep], strict=True)]
        )
        behind = np.median([change[r, c + 6] for r, c in zip(rows[keep], first[keep], strict=True)])
        assert before > -0.1
        assert behind < -0.2
