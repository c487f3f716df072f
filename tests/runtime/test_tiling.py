import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwam_mm.runtime.tiling import plan_tiles

DIVISOR = 16


def padded(length: int) -> int:
    return math.ceil(length / DIVISOR) * DIVISOR


@settings(max_examples=400, deadline=None)
@given(
    st.integers(1, 900), st.integers(1, 900), st.integers(0, 4), st.integers(1, 40), st.integers()
)
def test_every_pixel_is_kept_once_with_all_its_context(height, width, halos, cores, seed):
    halo = halos * DIVISOR
    max_pixels = (2 * halo + cores * DIVISOR) ** 2 + seed % 1000
    count = np.zeros((height, width), np.int64)
    for tile in plan_tiles((height, width), halo, DIVISOR, max_pixels):
        count[tile.kept] += 1
        area = 1
        for seen, kept, length in zip(tile.seen, tile.kept, (height, width), strict=True):
            assert seen.start % DIVISOR == 0
            assert 0 <= seen.start <= kept.start < kept.stop <= seen.stop <= length
            assert kept.start - seen.start >= halo or seen.start == 0
            assert seen.stop - kept.stop >= halo or seen.stop == length
            # An end that is not the image's has to lie on the grid: the network would pad there.
            assert seen.stop % DIVISOR == 0 or seen.stop == length
            area *= padded(seen.stop - seen.start)
        assert area <= max_pixels
        inner = np.empty((height, width))[tile.seen][tile.inner]
        assert inner.shape == count[tile.kept].shape
    assert (count == 1).all()


def test_an_image_that_fits_is_one_tile():
    (tile,) = plan_tiles((1000, 1024), 112, DIVISOR, 1024 * 1024)
    assert tile.seen == tile.kept == (slice(0, 1000), slice(0, 1024))


def test_a_long_strip_is_cut_across_only():
    tiles = plan_tiles((3000, 100), 48, DIVISOR, 256 * 256)
    assert all(tile.seen[1] == slice(0, 100) for tile in tiles)
    heights = {tile.seen[0].stop - tile.seen[0].start for tile in tiles[:-1]}
    assert max(heights) > 400
    assert len(heights) == 1


def test_tiles_are_alike_and_few():
    tiles = plan_tiles((3302, 3772), 112, DIVISOR, 1024 * 1024)
    assert len(tiles) == 4 * 5
    assert len({tuple(s.stop - s.start for s in tile.seen) for tile in tiles}) <= 4


def test_too_small_a_bound_is_refused_with_the_least_that_will_do():
    with pytest.raises(ValueError, match=r"max_pixels is 1000: .* halo of 32 .* at least 6400"):
        plan_tiles((500, 500), 32, DIVISOR, 1000)
    assert plan_tiles((500, 500), 32, DIVISOR, 6400)
