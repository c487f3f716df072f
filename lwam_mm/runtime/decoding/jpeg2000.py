"""JPEG 2000 headers, in its container or as a bare code stream."""

import struct
from collections.abc import Iterator

from lwam_mm.runtime.decoding.header import Header, truncated, unsupported
from lwam_mm.runtime.decoding.tags import orientation_of

SIGNATURES = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_EXIF = b"JpgTiffExif->JP2"
_SPACES = (16, 17)  # sRGB and grey


def read_jpeg2000(data: bytes) -> Header:
    """Read a JPEG 2000's header.

    It counts as lossy even where its transformation is reversible, since that does not tell
    whether the encoder left bits out.
    """
    boxes = {b"jp2c": (0, len(data))}
    exif = b""
    if data.startswith(SIGNATURES[0]):
        boxes = {}
        for kind, start, end in _boxes(data, 0, len(data)):
            if kind == b"uuid" and data.startswith(_EXIF, start):
                exif = data[start + 16 : end]
            boxes.setdefault(kind, (start, end))
            if kind == b"jp2h":
                boxes |= {kind: (start, end) for kind, start, end in _boxes(data, start, end)}
    if b"jp2c" not in boxes:
        raise truncated("JPEG 2000", "it holds no picture")
    start, end = boxes[b"jp2c"]
    if not data.endswith(b"\xff\xd9", start, end):
        raise truncated("JPEG 2000", "its end marker is missing")
    right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
    (channels,) = struct.unpack_from(">H", data, start + 40)
    depths = set(struct.iter_unpack(">3B", data[start + 42 : start + 42 + 3 * channels]))
    depth, *sampling = next(iter(depths))
    bits = depth + 1  # the highest bit tells signed samples
    if len(depths) > 1 or sampling != [1, 1] or bits not in (8, 16):
        raise unsupported("is a JPEG 2000 whose channels are not all of 8 or 16 bits and one size")
    if channels not in (1, 3) or boxes.keys() & {b"pclr", b"cdef"}:
        raise unsupported(f"is a JPEG 2000 of {channels} channels, with alpha or a palette")
    if b"colr" in boxes:
        method, _, _, space = struct.unpack_from(">BBBI", data, boxes[b"colr"][0])
        if method == 1 and space not in _SPACES:
            raise unsupported(f"is a JPEG 2000 of colour space {space}, neither grey nor sRGB")
    return Header(
        "JPEG 2000",
        right - left,
        bottom - top,
        bits,
        "grey" if channels == 1 else "RGB",
        orientation=orientation_of(exif),
        lossy=True,
    )


def _boxes(data: bytes, position: int, last: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box, and where its content begins and ends."""
    while position + 8 <= last:
        length, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = position + length if length else last
        if not start <= end <= last:
            raise truncated("JPEG 2000", "a part reaches past its end")
        yield kind, start, end
        position = end
