"""Cuts a large image into tiles whose answers, put together, are the answer of the whole.

The network has no global operation: a pixel's answer depends on the pixels up to a `halo` around
it and, by its strides, on where the pixel lies on a grid of `divisor` pixels. So a tile that begins
on that grid gives the whole image's answer everywhere but within a halo of those of its edges that
are not the image's own.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One tile, in pixels of the image.

    Attributes:
        seen: (rows, columns) that the network is given.
        kept: (rows, columns) for which its answer is taken; these of all tiles make up the image.
    """

    seen: tuple[slice, slice]
    kept: tuple[slice, slice]

    @property
    def inner(self) -> tuple[slice, slice]:
        """What is kept, in rows and columns of the tile itself."""
        rows, columns = (
            slice(kept.start - seen.start, kept.stop - seen.start)
            for kept, seen in zip(self.kept, self.seen, strict=True)
        )
        return rows, columns


def plan_tiles(size: tuple[int, int], halo: int, divisor: int, max_pixels: int) -> list[Tile]:
    """Cover an image by as few tiles as the bound on their area allows.

    Args:
        size: (height, width) of the image, positive.
        halo: Pixels around a tile that its inside depends on; a multiple of `divisor`.
        divisor: The grid on which tiles begin.
        max_pixels: Bound on a tile's height * width, both rounded up to multiples of `divisor`.

    Returns:
        The tiles, row by row; a single one that sees everything where the image is small enough.

    Raises:
        ValueError: No tile within `max_pixels` has anything inside its halo.
    """
    height, width = (math.ceil(side / divisor) * divisor for side in size)
    if height * width <= max_pixels:
        rows, columns = [(0, size[0], 0, size[0])], [(0, size[1], 0, size[1])]
    else:
        least = 2 * halo + divisor
        edge = math.isqrt(max_pixels) // divisor * divisor
        if edge < min(least, height, width):
            raise ValueError(
                f"max_pixels is {max_pixels}: a tile needs a halo of {halo} pixels on every side, "
                f"so give at least {least * least}"
            )
        # Along a short side the whole image fits, which leaves more of the area for the other.
        tile_height = min(height, max(edge, max_pixels // width // divisor * divisor))
        tile_width = min(width, max_pixels // tile_height // divisor * divisor)
        rows = _spans(size[0], tile_height, halo, divisor)
        columns = _spans(size[1], tile_width, halo, divisor)
    return [
        Tile((slice(top, bottom), slice(left, right)), (slice(r0, r1), slice(c0, c1)))
        for top, bottom, r0, r1 in rows
        for left, right, c0, c1 in columns
    ]


def _spans(length: int, tile: int, halo: int, divisor: int) -> list[tuple[int, int, int, int]]:
    """Cover one axis: (first and last seen, first and last kept) a tile, the ends exclusive."""
    padded = math.ceil(length / divisor) * divisor
    if padded <= tile:
        return [(0, length, 0, length)]
    count = math.ceil((padded - 2 * halo) / (tile - 2 * halo))
    # The same number of tiles, but all alike and no larger than they need to be.
    tile = math.ceil(((padded - 2 * halo) / count + 2 * halo) / divisor) * divisor
    spans, kept = [], 0
    while kept < length:
        start = min(max(kept - halo, 0), padded - tile)
        last = start + tile >= padded
        end = length if last else start + tile - halo
        spans.append((start, min(start + tile, length), kept, end))
        kept = end
    return spans
