"""Reads TIFF tags, which EXIF uses too, and the orientation that a picture was stored in."""

import re
import struct
from collections.abc import Collection
from typing import NamedTuple

from lwam_mm.runtime.decoding.header import unsupported

ORIENTATION = 274
_CODES = {1: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q"}


class Tag(NamedTuple):
    """The values of a tag, the offset of the first one and its type as ``struct`` writes it."""

    values: tuple[int, ...]
    place: int
    code: str


def read_tags(
    data: bytes, order: str, offset: int, wanted: Collection[int], big: bool = False
) -> tuple[dict[int, Tag], int]:
    """Read the ``wanted`` tags of one directory; those that are no whole numbers are left out.

    Returns the tags by number, and the offset of the next directory, 0 if there is none.
    """
    count_code, size_code, entry, inline = ("Q", "Q", 20, 8) if big else ("H", "I", 12, 4)
    (count,) = struct.unpack_from(order + count_code, data, offset)
    start = offset + struct.calcsize("=" + count_code)
    tags = {}
    for at in range(start, start + count * entry, entry):
        tag, kind, number = struct.unpack_from(f"{order}HH{size_code}", data, at)
        if tag not in wanted or kind not in _CODES:
            continue
        place, code = at + entry - inline, _CODES[kind]
        if struct.calcsize("=" + code) * number > inline:
            (place,) = struct.unpack_from(order + size_code, data, place)
        tags[tag] = Tag(struct.unpack_from(f"{order}{number}{code}", data, place), place, code)
    (following,) = struct.unpack_from(order + size_code, data, start + count * entry)
    return tags, following


def exif_tags(exif: bytes, wanted: Collection[int]) -> dict[int, Tag]:
    """Read tags of an EXIF block; a damaged block has none, as other readers see it."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        if order is None:
            return {}
        (offset,) = struct.unpack_from(order + "I", exif, 4)
        return read_tags(exif, order, offset, wanted)[0]
    except struct.error:
        return {}


def orientation_of(exif: bytes, xmp: bytes = b"") -> int:
    """Return the EXIF orientation, 1..8, from an EXIF block or else from XMP."""
    found = re.search(rb'tiff:Orientation(?:="|>)\s*(\d+)', xmp)
    value = int(found[1]) if found else 1
    tag = exif_tags(exif.removeprefix(b"Exif\0\0"), {ORIENTATION}).get(ORIENTATION)
    return known_orientation(tag.values[0] if tag and tag.values else value)


def known_orientation(value: int) -> int:
    """Return an orientation of 1..8; 0 means unknown and counts as upright."""
    if not 0 <= value <= 8:
        raise unsupported(f"has the EXIF orientation {value}, outside 1..8", "correct the tag")
    return value or 1
