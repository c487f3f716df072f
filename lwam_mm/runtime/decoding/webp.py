"""WebP headers."""

import struct

from lwam_mm.runtime.decoding.header import Header, truncated
from lwam_mm.runtime.decoding.tags import orientation_of

_ANIMATION = 0x02
_ZEROS = bytes(64)


def read_webp(data: bytes) -> Header:
    """Read a WebP's header."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise truncated("WebP", f"it has {len(data)} of {end} bytes")
    size: tuple[int, int] | None = None
    alpha = lossy = ends_in_zeros = False
    exif = xmp = b""
    pages = 1
    position = 12
    while position + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, position)
        start = position + 8
        if start + length > end:
            raise truncated("WebP", "a chunk reaches past its end")
        if kind == b"VP8X":
            alpha |= bool(data[start] & 0x10)
            pages += bool(data[start] & _ANIMATION)
        elif kind in (b"VP8 ", b"VP8L") and size is None:
            if kind == b"VP8 ":
                lossy = True
                width, height = struct.unpack_from("<HH", data, start + 6)
                size = (width & 0x3FFF, height & 0x3FFF)
            else:
                (word,) = struct.unpack_from("<I", data, start + 1)
                size = ((word & 0x3FFF) + 1, (word >> 14 & 0x3FFF) + 1)
                alpha |= bool(word >> 28 & 1)
            ends_in_zeros = data.endswith(_ZEROS, start, start + length)
            if lossy and data.endswith(bytes(max(64, length // 4)), start, start + length):
                raise truncated("WebP", "its picture ends in zeros")
        elif kind == b"EXIF":
            exif = data[start : start + length]
        elif kind == b"XMP ":
            xmp = data[start : start + length]
        elif not kind.strip(b"\0"):
            raise truncated("WebP", "it is filled up with zeros")
        position = start + length + length % 2
    if pages > 1:
        size = size or (1, 1)  # an animation's pictures lie deeper
    if size is None:
        raise truncated("WebP", "it holds no picture")
    return Header(
        "WebP",
        *size,
        8,
        "RGB",
        alpha=alpha,
        orientation=orientation_of(exif, xmp),
        lossy=lossy,
        pages=pages,
        ends_in_zeros=ends_in_zeros,
    )
