import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwam_mm.runtime import ImageError
from lwam_mm.runtime.tiling import plan_tiles

DIVISOR = 16


def padded(length: int) -> int:
    return math.ceil(length / DIVISOR) * DIVISOR


def check_tiles(tiles, height, width, halo, max_pixels):
    count = np.zeros((height, width), np.int64)
    for tile in tiles:
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


@settings(max_examples=400, deadline=None)
@given(
    st.integers(1, 900), st.integers(1, 900), st.integers(0, 4), st.integers(1, 40), st.integers()
)
def test_every_pixel_is_kept_once_with_all_its_context(height, width, halos, cores, seed):
    halo = halos * DIVISOR
    max_pixels = (2 * halo + cores * DIVISOR) ** 2 + seed % 1000
    tiles = plan_tiles((height, width), halo, DIVISOR, max_pixels)
    check_tiles(tiles, height, width, halo, max_pixels)
    check_equal_and_small(tiles, (height, width), halo)


def check_equal_and_small(tiles, size, halo):
    """Along each axis all tiles have one size, and a smaller one would need more of them."""
    for axis in range(2):
        starts = {tile.seen[axis].start for tile in tiles}
        lengths = {padded(tile.seen[axis].stop) - tile.seen[axis].start for tile in tiles}
        assert len(lengths) == 1
        if len(starts) > 1:
            core = lengths.pop() - DIVISOR - 2 * halo
            assert len(starts) * core + 2 * halo < padded(size[axis])


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 6), st.integers(1, 40_000))
def test_any_bound_gives_tiles_or_an_error_with_a_bound_that_will_do(
    height, width, halos, max_pixels
):
    halo = halos * DIVISOR
    try:
        tiles = plan_tiles((height, width), halo, DIVISOR, max_pixels)
    except ImageError as error:
        least = int(str(error).rsplit(" ", 1)[1])
        assert least > max_pixels
        max_pixels = least
        tiles = plan_tiles((height, width), halo, DIVISOR, max_pixels)
    check_tiles(tiles, height, width, halo, max_pixels)


def test_a_strip_too_short_for_a_square_tile_is_refused_or_cut():
    """Its whole height fits into the bound, but no tile of it is longer than two halos."""
    size, halo = (100, 100_000), 112
    with pytest.raises(ImageError, match="at least 26880"):
        plan_tiles(size, halo, DIVISOR, 128 * 128)
    assert len(plan_tiles(size, halo, DIVISOR, 26880)) > 1


def test_an_image_that_fits_is_one_tile():
    (tile,) = plan_tiles((1000, 1024), 112, DIVISOR, 1024 * 1024)
    assert tile.seen == tile.kept == (slice(0, 1000), slice(0, 1024))


def test_a_long_strip_is_cut_across_only():
    tiles = plan_tiles((3000, 100), 48, DIVISOR, 256 * 256)
    assert all(tile.seen[1] == slice(0, 100) for tile in tiles)
    heights = {tile.seen[0].stop - tile.seen[0].start for tile in tiles[:-1]}
    assert max(heights) > 400
    assert len(heights) == 1


def test_tiles_are_equal_and_few():
    tiles = plan_tiles((3302, 3772), 112, DIVISOR, 1024 * 1024)
    assert len(tiles) == 4 * 5
    # 4 x (1008 - 224) + 224 = 3360 >= 3312 rows; 4 x (992 - 224) + 224 are too few. Likewise
    # 5 x (944 - 224) + 224 = 3824 >= 3776 columns.
    assert tiles[0].seen == (slice(0, 1008), slice(0, 944))
    check_equal_and_small(tiles, (3302, 3772), 112)


def test_too_small_a_bound_is_refused_with_the_least_that_will_do():
    match = r"max_pixels is 1000: .* 500 x 600 pixels .* halo of 32 .* at least 6400"
    with pytest.raises(ImageError, match=match):
        plan_tiles((500, 600), 32, DIVISOR, 1000)
    assert plan_tiles((500, 600), 32, DIVISOR, 6400)
    with pytest.raises(ImageError):
        plan_tiles((500, 600), 32, DIVISOR, 6399)
