"""TIFF and BigTIFF headers, in both byte orders."""

import struct
import zlib
from typing import NamedTuple

from lwam_mm.runtime.decoding.header import Header, truncated, unsupported
from lwam_mm.runtime.decoding.tags import (
    ORIENTATION,
    Tag,
    known_orientation,
    orientation_of,
    read_tags,
)

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIPS, _CHANNELS, _ROWS, _STRIP_BYTES, _PLANES, _XMP = 273, 277, 278, 279, 284, 700
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA, _FORMAT = 322, 323, 324, 325, 338, 339
_WANTED = frozenset((*range(_WIDTH, _PLANES + 1), *range(_TILE_WIDTH, _FORMAT + 1), _XMP))
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _YCBCR = 0, 1, 2, 6
_RAW, _LZW, _JPEG, _DEFLATE, _OLD_DEFLATE, _PACK_BITS = 1, 5, 7, 8, 32946, 32773
_COMPRESSIONS = (_RAW, _LZW, _JPEG, _DEFLATE, _OLD_DEFLATE, _PACK_BITS)
_ASSOCIATED = 1
_NAMES = {3: "palette", 4: "transparency mask", 5: "CMYK", 6: "YCbCr", 8: "Lab", 32803: "raw CFA"}
_FORMATS = {2: "signed", 3: "floating-point"}


class _Layout(NamedTuple):
    """How the samples are stored."""

    width: int
    height: int
    channels: int
    bits: int
    planar: bool
    compression: int


def read_tiff(data: bytes) -> Header:
    """Read a TIFF's header; every strip or tile has to be there.

    OpenCV multiplies alpha into 8-bit colours, and turns and inverts pixels depending on their
    kind. The patches of the header prevent this.
    """
    order = "<" if data.startswith(b"II") else ">"
    big = 43 in data[2:4]
    (offset,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    tags, following = read_tags(data, order, offset, _WANTED, big)

    def values(tag: int) -> tuple[int, ...]:
        return tags[tag].values if tag in tags else ()

    def first(tag: int, default: int | None = None) -> int:
        found = (*values(tag), default)[0]
        if found is None:
            raise truncated("TIFF", f"tag {tag} is missing")
        return found

    layout = _Layout(
        *(first(_WIDTH), first(_HEIGHT), first(_CHANNELS, 1), first(_BITS, 1)),
        planar=first(_PLANES, 1) == 2,
        compression=first(_COMPRESSION, _RAW),
    )
    if set(values(_FORMAT)) - {1}:
        raise unsupported(f"is a TIFF with {_FORMATS.get(first(_FORMAT), 'unknown')} samples")
    if layout.bits not in (8, 16) or set(values(_BITS)) != {layout.bits}:
        bits = " or ".join(map(str, sorted({layout.bits, *values(_BITS)})))
        raise unsupported(f"is a TIFF of {bits} bits a sample")
    if layout.compression not in _COMPRESSIONS or first(_FILL_ORDER, 1) != 1:
        fill = first(_FILL_ORDER, 1)
        raise unsupported(f"is a TIFF of compression {layout.compression} and bit order {fill}")
    photometric = first(_PHOTOMETRIC)
    grey = photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
    if not grey and photometric != _RGB and (photometric, layout.compression) != (_YCBCR, _JPEG):
        name = _NAMES.get(photometric, "unknown")
        raise unsupported(f"is a TIFF of photometric interpretation {photometric} ({name})")
    if _ASSOCIATED in values(_EXTRA):
        raise unsupported("has premultiplied alpha", "save it without alpha, from its source")
    extra = layout.channels - (1 if grey else 3)
    # OpenCV mixes up these kinds.
    mixed = layout.channels > 1 and layout.planar and (grey or layout.bits == 16)
    mixed |= grey and extra == 1 and layout.bits == 16
    if extra not in (0, 1) or len(values(_EXTRA)) > extra or mixed:
        planes = " in planes" if layout.planar else ""
        raise unsupported(f"is a TIFF of {layout.channels} channels of {layout.bits} bits{planes}")
    _check_parts(data, tags, layout)

    neutral = {ORIENTATION: 1, _EXTRA: 0} | ({_PHOTOMETRIC: _BLACK_IS_ZERO} if grey else {})
    patches = [
        (tags[tag].place, struct.pack(order + tags[tag].code, value))
        for tag, value in neutral.items()
        if values(tag)
    ]
    if ORIENTATION in tags:
        orientation = known_orientation(first(ORIENTATION, 1))
    else:
        orientation = orientation_of(b"", bytes(values(_XMP)))
    return Header(
        "TIFF",
        layout.width,
        layout.height,
        layout.bits,
        "grey" if grey else "RGB",
        alpha=extra == 1,
        orientation=orientation,
        lossy=layout.compression == _JPEG,
        pages=_count_pages(data, order, following, big),
        inverted=photometric == _WHITE_IS_ZERO,
        uncompressed=layout.compression == _RAW,
        patches=tuple(patches) if (orientation > 1 or extra or photometric == 0) else (),
    )


def _check_parts(data: bytes, tags: dict[int, Tag], layout: _Layout) -> None:
    """Refuse strips or tiles that are missing, incomplete or damaged."""
    names = (_TILES, _TILE_BYTES, _TILE_WIDTH, _TILE_HEIGHT)
    tiled = _TILES in tags
    if not tiled:
        names = (_STRIPS, _STRIP_BYTES, _WIDTH, _ROWS if _ROWS in tags else _HEIGHT)
    if not all(name in tags and tags[name].values for name in names):
        raise truncated("TIFF", "it does not say where its pixels are")
    offsets, lengths, (columns, *_), (rows, *_) = (tags[name].values for name in names)
    if min(columns, rows) < 1:
        raise truncated("TIFF", "its header is damaged")
    across, down = -(-layout.width // columns), -(-layout.height // rows)
    count = across * down * (layout.channels if layout.planar else 1)
    if not len(offsets) == len(lengths) == count:
        raise truncated("TIFF", f"it has {len(offsets)} of {count} parts")
    line = columns * layout.bits // 8 * (1 if layout.planar else layout.channels)
    for index, (offset, length) in enumerate(zip(offsets, lengths, strict=True)):
        lines = rows if tiled else min(rows, layout.height - rows * (index // across % down))
        needed = line * lines if layout.compression == _RAW else 1
        if length < needed or offset + length > len(data):
            raise truncated("TIFF", f"part {index + 1} of {count} is incomplete")
        if not _is_sound(data, offset, offset + length, layout.compression):
            raise truncated("TIFF", f"part {index + 1} of {count} is damaged")


def _is_sound(data: bytes, start: int, end: int, compression: int) -> bool:
    """Tell whether compressed data is whole; OpenCV silently decodes as much as it can."""
    if compression == _RAW:
        return True
    if compression not in (_DEFLATE, _OLD_DEFLATE):  # the end marks of the others are not zero
        return bool(data[max(start, end - 8) : end].strip(b"\0"))
    try:
        stream = zlib.decompressobj()
        stream.decompress(data[start:end])
    except zlib.error:
        return False
    return stream.eof


def _count_pages(data: bytes, order: str, offset: int, big: bool) -> int:
    pages: set[int] = set()
    while offset and offset not in pages:
        pages.add(offset)
        try:
            _, offset = read_tags(data, order, offset, (), big)
        except struct.error:
            break
    return 1 + len(pages)
