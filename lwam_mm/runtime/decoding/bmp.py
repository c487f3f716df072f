"""BMP headers."""

import struct

from lwam_mm.runtime.decoding.header import Header, truncated, unsupported

_MASKS = (0xFF0000, 0xFF00, 0xFF)  # red, green and blue where OpenCV expects them
_PLAIN, _BIT_FIELDS = 0, 3


def read_bmp(data: bytes) -> Header:
    """Read a BMP's header; every pixel has to be there."""
    start, size = struct.unpack_from("<II", data, 10)
    compression = _PLAIN
    if size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    if width < 1:
        raise truncated("BMP", "its header is damaged")
    known = bits in (1, 4, 8, 24, 32)
    if compression == _BIT_FIELDS:
        known = bits == 32 and struct.unpack_from("<3I", data, 54) == _MASKS
    if not known or compression not in (_PLAIN, _BIT_FIELDS):
        raise unsupported(f"is a BMP of {bits} bits with compression {compression}")
    needed = start + (width * bits + 31) // 32 * 4 * abs(height)
    if needed > len(data):
        raise truncated("BMP", f"it has {len(data)} of {needed} bytes")
    colour = "RGB" if bits > 8 else "palette"
    if bits == 8:
        step = 3 if size == 12 else 4
        entries = data[14 + size : 14 + size + 256 * step]
        if all(entries[channel::step] == bytes(range(256)) for channel in range(3)):
            colour = "grey"
    return Header(
        "BMP",
        width,
        abs(height),
        min(bits, 8),
        colour,
        alpha=bits == 32,
        uncompressed=True,
        bottom_up=height > 0,
    )
