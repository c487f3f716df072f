"""PNG headers."""

import struct

from lwam_mm.runtime.decoding.header import Header, truncated
from lwam_mm.runtime.decoding.tags import orientation_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB\x60\x82"
_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey", 6: "RGB"}


def read_png(data: bytes) -> Header:
    """Read a PNG's header; every chunk up to the last has to be there."""
    length, kind, width, height, bits, colour = struct.unpack_from(">I4sIIBB", data, 8)
    if kind != b"IHDR" or length != 13 or colour not in _COLOURS:
        raise truncated("PNG", "its header is damaged")
    exif = xmp = b""
    pages = 1
    position = 8
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if kind == b"eXIf":
            exif = data[start : start + length]
        elif kind == b"iTXt" and data.startswith(b"XML:com.adobe.xmp", start):
            xmp = data[start : start + length]
        elif kind == b"acTL":  # an animation
            (pages,) = struct.unpack_from(">I", data, start)
        position = start + length + 4
    if not data.endswith(_END, 0, position):  # OpenCV 5 does not check it
        raise truncated("PNG", "its end mark is damaged")
    return Header(
        "PNG",
        width,
        height,
        bits,
        _COLOURS[colour],
        alpha=colour >= 4,
        orientation=orientation_of(exif, xmp),
        pages=pages,
    )
