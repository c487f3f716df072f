"""Writes TIFF files tag by tag, so that a test can set what no library would write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

SHORT, LONG, LONG8 = 3, 4, 16
_CODES = {SHORT: "H", LONG: "I", LONG8: "Q"}


def make_tiff(
    pixels: np.ndarray,
    tags: Mapping[int, int | Sequence[int] | None] | None = None,
    *,
    order: str = "<",
    big: bool = False,
    planar: bool = False,
    deflate: bool = False,
    rows: int | None = None,
    tile: tuple[int, int] | None = None,
) -> bytes:
    """Return a TIFF file of one page.

    Args:
        pixels: (H, W) or (H, W, C), of any dtype; stored as they are.
        tags: Overrides tags by number; None leaves a tag out.
        order: "<" for little-endian, ">" for big-endian.
        big: Write a BigTIFF.
        planar: Store one plane after the other.
        deflate: Compress the strips or tiles.
        rows: Rows per strip; all of them if None.
        tile: (height, width) of tiles; strips if None.
    """
    height, width = pixels.shape[:2]
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    chunks = []
    cube = pixels.reshape(height, width, samples)
    planes = [cube[:, :, [i]] for i in range(samples)] if planar else [cube]
    for plane in planes:
        if tile:
            padded = np.zeros(
                (-(-height // tile[0]) * tile[0], -(-width // tile[1]) * tile[1], plane.shape[2]),
                plane.dtype,
            )
            padded[:height, :width] = plane
            chunks += [
                padded[y : y + tile[0], x : x + tile[1]]
                for y in range(0, height, tile[0])
                for x in range(0, width, tile[1])
            ]
        else:
            chunks += [plane[y : y + (rows or height)] for y in range(0, height, rows or height)]
    data = [chunk.astype(chunk.dtype.newbyteorder(order)).tobytes() for chunk in chunks]
    if deflate:
        data = [zlib.compress(chunk) for chunk in data]

    offsets, body = [], b""
    start = 16 if big else 8
    for chunk in data:
        offsets.append(start + len(body))
        body += chunk + bytes(-len(chunk) % 8)
    places = (324, 325) if tile else (273, 279)
    layout = {322: tile[1], 323: tile[0]} if tile else {278: rows or height}
    fields = {
        256: width,
        257: height,
        258: [8 * pixels.dtype.itemsize] * samples,
        259: 8 if deflate else 1,
        262: 2 if samples >= 3 else 1,
        277: samples,
        284: 2 if planar else 1,
        339: [kind] * samples,
        places[0]: offsets,
        places[1]: [len(chunk) for chunk in data],
        **layout,
        **(tags or {}),
    }
    if samples in (2, 4):
        fields.setdefault(338, 2)
    return _write(fields, body, order, big)


def _write(fields: Mapping[int, int | Sequence[int] | None], body: bytes, o: str, big: bool):
    entries = sorted((tag, value) for tag, value in fields.items() if value is not None)
    start = 16 if big else 8
    ifd = start + len(body)
    word, size, count = ("Q", 8, "Q") if big else ("I", 4, "H")
    head = b"II" if o == "<" else b"MM"
    if big:
        head += struct.pack(o + "HHHQ", 43, 8, 0, ifd)
    else:
        head += struct.pack(o + "HI", 42, ifd)
    extra_at = ifd + struct.calcsize("<" + count) + len(entries) * (20 if big else 12) + size
    table, extra = struct.pack(o + count, len(entries)), b""
    for tag, value in entries:
        values = [value] if isinstance(value, int) else list(value)
        kind = LONG if tag in (256, 257, 273, 278, 279, 322, 323, 324, 325) else SHORT
        packed = struct.pack(f"{o}{len(values)}{_CODES[kind]}", *values)
        if len(packed) > size:
            place = struct.pack(o + word, extra_at + len(extra))
            extra += packed + bytes(len(packed) % 2)
        else:
            place = packed + bytes(size - len(packed))
        table += struct.pack(o + "HH" + word, tag, kind, len(values)) + place
    return head + body + table + bytes(size) + extra
