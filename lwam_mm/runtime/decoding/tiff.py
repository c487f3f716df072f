"""TIFF and BigTIFF headers, in both byte orders."""

import struct
import zlib
from collections.abc import Sequence

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
_STRIPS, _CHANNELS, _ROWS, _STRIP_BYTES, _PLANES = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA, _FORMAT = 322, 323, 324, 325, 338, 339
_XMP = 700
_WANTED = {value for name, value in globals().items() if name[0] == "_" and type(value) is int}
_WANTED.add(ORIENTATION)

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _YCBCR = 0, 1, 2, 6
_RAW, _LZW, _JPEG, _DEFLATE, _OLD_DEFLATE, _PACK_BITS = 1, 5, 7, 8, 32946, 32773
_COMPRESSIONS = (_RAW, _LZW, _JPEG, _DEFLATE, _OLD_DEFLATE, _PACK_BITS)
_ASSOCIATED = 1
_NAMES = {3: "palette", 4: "transparency mask", 5: "CMYK", 6: "YCbCr", 8: "Lab", 32803: "raw CFA"}
_KINDS = {2: "signed", 3: "floating-point"}


def read_tiff(data: bytes) -> Header:
    """Read a TIFF's header; every strip or tile has to be there.

    OpenCV multiplies alpha into 8-bit colours, and turns and inverts some pixels but not others.
    The header's patches make it leave all of them as they are.

    Raises:
        RefusedImageError: It is damaged or cut off, or of a kind that is not read.
    """
    order = "<" if data.startswith(b"II") else ">"
    big = 43 in data[2:4]
    (offset,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    tags, following = read_tags(data, order, offset, _WANTED, big)

    def first(tag: int, default: int | None = None) -> int:
        if tag in tags and tags[tag].values:
            return tags[tag].values[0]
        if default is None:
            raise truncated("TIFF", f"tag {tag} is missing")
        return default

    width, height = first(_WIDTH), first(_HEIGHT)
    photometric, compression = first(_PHOTOMETRIC), first(_COMPRESSION, _RAW)
    channels, planar = first(_CHANNELS, 1), first(_PLANES, 1) == 2
    bits = first(_BITS, 1)
    for tag, allowed in ((_BITS, {bits}), (_FORMAT, {1}), (_FILL_ORDER, {1})):
        for value in tags[tag].values if tag in tags else ():
            if value not in allowed:
                kind = _KINDS.get(value, "unusual") if tag == _FORMAT else f"unusual (tag {tag})"
                raise unsupported(f"is a TIFF with {kind} samples")
    if bits not in (8, 16):
        raise unsupported(f"is a TIFF of {bits} bits a sample")
    if compression not in _COMPRESSIONS:
        raise unsupported(f"is a TIFF of compression {compression}")
    grey = photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
    if not grey and photometric != _RGB and (photometric, compression) != (_YCBCR, _JPEG):
        name = _NAMES.get(photometric, "unknown")
        raise unsupported(f"is a TIFF of photometric interpretation {photometric} ({name})")
    extra = channels - (1 if grey else 3)
    declared = tags[_EXTRA].values if _EXTRA in tags else ()
    if _ASSOCIATED in declared:
        raise unsupported("has premultiplied alpha", "save it without alpha, from its source")
    mixed = extra and grey and (bits == 16 or planar)
    if extra not in (0, 1) or len(declared) > extra or mixed or (planar and bits == 16 > extra):
        planes = " in planes" if planar else ""
        raise unsupported(f"is a TIFF of {channels} channels of {bits} bits{planes}")
    _check_data(data, tags, width, height, channels, bits, planar, compression)

    neutral = {ORIENTATION: 1, _EXTRA: 0}
    if grey:
        neutral[_PHOTOMETRIC] = _BLACK_IS_ZERO
    patches = [
        (tags[tag].place, struct.pack(order + tags[tag].code, value))
        for tag, value in neutral.items()
        if tag in tags and tags[tag].values[:1] not in ((), (value,))
    ]
    if ORIENTATION in tags:
        orientation = known_orientation(first(ORIENTATION, 1))
    else:
        orientation = orientation_of(b"", bytes(tags[_XMP].values) if _XMP in tags else b"")
    return Header(
        "TIFF",
        width,
        height,
        bits,
        "grey" if grey else "RGB",
        alpha=bool(extra),
        orientation=orientation,
        lossy=compression == _JPEG,
        pages=_count_pages(data, order, following, big),
        inverted=photometric == _WHITE_IS_ZERO,
        patches=tuple(patches),
    )


def _check_data(
    data: bytes,
    tags: dict[int, Tag],
    width: int,
    height: int,
    channels: int,
    bits: int,
    planar: bool,
    compression: int,
) -> None:
    """Refuse strips or tiles that are missing, lie outside the file or end in zeros."""
    tiled = _TILES in tags
    names = (_TILES, _TILE_BYTES) if tiled else (_STRIPS, _STRIP_BYTES)
    if any(name not in tags for name in names):
        raise truncated("TIFF", "it does not say where its pixels are")
    offsets, lengths = (tags[name].values for name in names)
    if tiled:
        if _TILE_WIDTH not in tags or _TILE_HEIGHT not in tags:
            raise truncated("TIFF", "it does not say how large its tiles are")
        columns, rows = tags[_TILE_WIDTH].values[0], tags[_TILE_HEIGHT].values[0]
    else:
        columns, rows = width, min(tags[_ROWS].values[0] if _ROWS in tags else height, height)
    if columns < 1 or rows < 1:
        raise truncated("TIFF", "its header is damaged")
    across, down = -(-width // columns), -(-height // rows)
    planes = channels if planar else 1
    if not len(offsets) == len(lengths) == across * down * planes:
        raise truncated("TIFF", f"it has {len(offsets)} of {across * down * planes} parts")
    line = columns * bits // 8 * (1 if planar else channels)
    for index, (offset, length) in enumerate(zip(offsets, lengths, strict=True)):
        is_last = index // across % down == down - 1
        lines = height - rows * (down - 1) if is_last and not tiled else rows
        short = length < 1 or (compression == _RAW and length < line * lines)
        if short or offset + length > len(data):
            raise truncated("TIFF", f"part {index + 1} of {len(offsets)} is incomplete")
        if compression != _RAW and not _is_sound(data[offset : offset + length], compression):
            raise truncated("TIFF", f"part {index + 1} of {len(offsets)} is damaged")


def _is_sound(part: bytes, compression: int) -> bool:
    """Tell whether compressed data is whole; OpenCV decodes what it can without a word."""
    if compression not in (_DEFLATE, _OLD_DEFLATE):
        return bool(part[-8:].strip(b"\0"))  # each of them has an end mark that is not zero
    try:
        inflated = zlib.decompressobj()
        inflated.decompress(part)
    except zlib.error:
        return False
    return inflated.eof


def _count_pages(data: bytes, order: str, offset: int, big: bool) -> int:
    pages: Sequence[int] | set[int] = set()
    while offset and offset not in pages:
        pages.add(offset)
        try:
            _, offset = read_tags(data, order, offset, (), big)
        except struct.error:
            break
    return 1 + len(pages)
