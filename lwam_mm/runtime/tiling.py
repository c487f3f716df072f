"""Cuts a large image into tiles whose results, put together, are those of the whole image.

A pixel's result depends on a ``halo`` of pixels around it and, because of the strides, on its
position on a grid of ``divisor`` pixels: tiles begin on that grid and overlap by their halos.
"""

import math
from dataclasses import dataclass

from lwam_mm.runtime.errors import ImageError


@dataclass(frozen=True)
class Tile:
    """One tile, in pixels of the image."""

    seen: tuple[slice, slice]  # (rows, columns) that the network is given
    # (rows, columns) whose result is used; those of all tiles partition the image.
    kept: tuple[slice, slice]

    @property
    def inner(self) -> tuple[slice, slice]:
        """The kept part in rows and columns of the tile itself."""
        rows, columns = (
            slice(kept.start - seen.start, kept.stop - seen.start)
            for kept, seen in zip(self.kept, self.seen, strict=True)
        )
        return rows, columns


def plan_tiles(size: tuple[int, int], halo: int, divisor: int, max_pixels: int) -> list[Tile]:
    """Cover an image of (height, width) with as few tiles as the bound on their area allows.

    ``max_pixels`` bounds a tile's height * width, both rounded up to multiples of ``divisor``.

    Raises:
        ImageError: The image needs tiles, and none within ``max_pixels`` is larger than its halo.

    Example:
        >>> tiles = plan_tiles((64, 200), halo=16, divisor=16, max_pixels=8192)
        >>> [tile.seen[1] for tile in tiles]
        [slice(0, 128, None), slice(80, 200, None)]
        >>> [tile.kept[1] for tile in tiles]
        [slice(0, 112, None), slice(112, 200, None)]
    """
    height, width = (math.ceil(side / divisor) * divisor for side in size)
    edge = math.isqrt(max_pixels) // divisor * divisor
    # Along a short side the whole image fits, which leaves more of the area for the other.
    tile_height = min(height, max(edge, max_pixels // width // divisor * divisor))
    tile_width = min(width, max_pixels // max(tile_height, 1) // divisor * divisor)
    least_height, least_width = (min(2 * halo + divisor, side) for side in (height, width))
    if tile_height < least_height or tile_width < least_width:
        raise ImageError(
            f"max_pixels is {max_pixels}: an image of {size[0]} x {size[1]} pixels needs tiles "
            f"with a halo of {halo} pixels on every side, so give at least "
            f"{least_height * least_width}"
        )
    return [
        Tile((slice(top, bottom), slice(left, right)), (slice(r0, r1), slice(c0, c1)))
        for top, bottom, r0, r1 in _spans(size[0], tile_height, halo, divisor)
        for left, right, c0, c1 in _spans(size[1], tile_width, halo, divisor)
    ]


def _spans(length: int, tile: int, halo: int, divisor: int) -> list[tuple[int, int, int, int]]:
    """Cover one axis: (start seen, stop seen, start kept, stop kept) of each tile."""
    padded = math.ceil(length / divisor) * divisor
    if padded <= tile:
        return [(0, length, 0, length)]
    count = math.ceil((padded - 2 * halo) / (tile - 2 * halo))
    # The same number of tiles, all of the same size and no larger than necessary.
    tile = math.ceil(((padded - 2 * halo) / count + 2 * halo) / divisor) * divisor
    spans, kept = [], 0
    while kept < length:
        start = min(max(kept - halo, 0), padded - tile)
        last = start + tile >= padded
        end = length if last else start + tile - halo
        spans.append((start, min(start + tile, length), kept, end))
        kept = end
    return spans
