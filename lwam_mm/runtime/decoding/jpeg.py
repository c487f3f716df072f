"""JPEG headers, MPO included."""

import struct

from lwam_mm.runtime.decoding.header import Header, truncated, unsupported
from lwam_mm.runtime.decoding.tags import exif_tags, orientation_of

SIGNATURE = b"\xff\xd8\xff"
# After 0xFF: a stuffed byte, a restart and other markers that have no length.
_BARE = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
_END, _EXTENSION, _SCAN = 0xD9, range(0xE1, 0xE3), 0xDA
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_DCT_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # baseline, extended, progressive
_COLOURS = {1: "grey", 3: "RGB"}
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
# Of a multi-picture file: the list of pictures, and the types that are previews of the first.
_PICTURES, _PREVIEWS = 0xB002, (0x010001, 0x010002)


def read_jpeg(data: bytes) -> Header:
    """Read a JPEG's header; the segments are walked up to the end marker.

    The end marker of a thumbnail inside a segment does not count, and bytes that a camera appends
    after the end do no harm.
    """
    frame = None
    scanned = False
    exif = xmp = b""
    pages = 1
    position = 2
    while True:
        position = data.find(b"\xff", position) + 1
        if not 0 < position < len(data):
            raise truncated("JPEG", "its end marker is missing")
        kind = data[position]
        if kind == _END:
            break
        if kind == 0xFF:  # a fill byte
            continue
        position += 1
        if kind in _BARE:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if kind in _FRAMES and frame is None:
            frame = (kind, *struct.unpack_from(">BHHB", data, position + 2))
        elif kind == _SCAN:
            scanned = True
        elif kind in _EXTENSION:
            segment = data[position + 2 : position + length]
            if segment.startswith(b"Exif\0\0"):
                exif = segment
            elif segment.startswith(_XMP):
                xmp = segment
            elif segment.startswith(b"MPF\0"):
                pages = _count_pictures(segment[4:])
        position += length
    if frame is None or not scanned:
        raise truncated("JPEG", "it holds no picture")
    kind, bits, height, width, channels = frame
    if kind not in _DCT_FRAMES or bits != 8:
        raise unsupported(f"is a JPEG of an uncommon kind ({bits} bits, frame type {kind - 0xC0})")
    if channels not in _COLOURS:
        raise unsupported(f"is a JPEG of {channels} channels (CMYK?)")
    return Header(
        "JPEG",
        width,
        height,
        bits,
        _COLOURS[channels],
        orientation=orientation_of(exif, xmp),
        lossy=True,
        pages=pages,
    )


def _count_pictures(listing: bytes) -> int:
    """Count the pictures of a multi-picture file that are no preview of the first."""
    pictures = exif_tags(listing, {_PICTURES}).get(_PICTURES)
    if pictures is None:
        return 1
    order = "<" if listing.startswith(b"II") else ">"
    entries = bytes(pictures.values)
    types = [entry[0] & 0xFFFFFF for entry in struct.iter_unpack(order + "I12x", entries)]
    return 1 + sum(kind not in _PREVIEWS for kind in types[1:])
