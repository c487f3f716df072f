import struct
import zlib

import numpy as np
import pytest
from both_sides import bgr, pillow, read_both, refusal
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lwam_mm.runtime.decoding import read_header


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode(rows: np.ndarray, width: int, bits: int, colour: int, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
    return data + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_packed_grey_is_stretched_and_packed_palettes_show_their_colours(path, noise, bits):
    width = 19
    rows = noise[:, : -(-width * bits // 8), 0]
    unpacked = np.unpackbits(rows, axis=1).reshape(20, -1, bits)[:, :width]
    values = unpacked @ (1 << np.arange(bits)[::-1])
    grey = (values * (255 // (2**bits - 1))).astype(np.uint8)
    np.testing.assert_array_equal(read_both(path, encode(rows, width, bits, 0)), bgr(grey))
    palette = noise[0, : 2**bits, :3]
    shown = bgr(palette[values])
    for alpha in (b"", chunk(b"tRNS", b"\0\x80")):
        extra = chunk(b"PLTE", palette.tobytes()) + alpha
        np.testing.assert_array_equal(read_both(path, encode(rows, width, bits, 3, extra)), shown)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_alpha_and_transparent_colours_are_dropped(path, noise, deep, channels, bits):
    pixels = (noise if bits == 8 else deep)[..., :channels]
    wanted = pixels if bits == 8 else np.rint(pixels / 257).astype(np.uint8)
    rows = pixels.astype(">u2") if bits == 16 else pixels
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    extras = [b"", chunk(b"gAMA", struct.pack(">I", 100_000)), chunk(b"sBIT", b"\5" * channels)]
    if channels in (1, 3):
        extras.append(chunk(b"tRNS", rows[0, 0].astype(">u2").tobytes()))
    for extra in extras:
        data = encode(rows, 30, bits, colour, extra)
        np.testing.assert_array_equal(read_both(path, data), bgr(wanted))


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("source", ["exif", "xmp"])
def test_the_orientation_is_applied(path, noise, orientation, source):
    exif, info = Image.Exif(), PngInfo()
    if source == "exif":
        exif[0x0112] = orientation
    else:
        info.add_itxt("XML:com.adobe.xmp", f'<x tiff:Orientation="{orientation}"/>')
    data = pillow(noise, "PNG", exif=exif, pnginfo=info)
    turned = noise[::-1, ::-1] if orientation == 3 else noise.swapaxes(0, 1)[:, ::-1]
    np.testing.assert_array_equal(read_both(path, data), bgr(turned))


def test_an_animation_is_refused(path, noise):
    frames = [Image.fromarray(noise[..., i]) for i in range(3)]
    data = pillow(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert "has 3 pages" in refusal(path, data)


@pytest.mark.parametrize("missing", [1, 4, 12, 13, 500])
@pytest.mark.parametrize("zeros", [False, True])
def test_a_file_that_breaks_off(path, noise, missing, zeros):
    data = pillow(noise, "PNG")
    text = refusal(path, data[:-missing] + bytes(zeros * missing))
    assert "is a truncated PNG" in text or "is a damaged or truncated PNG" in text


def test_zeros_behind_the_end_are_harmless(path, noise):
    np.testing.assert_array_equal(read_both(path, pillow(noise, "PNG") + bytes(99)), bgr(noise))


def test_a_damaged_header(path, noise):
    data = pillow(noise, "PNG")
    assert "its header is damaged" in refusal(path, data[:25] + b"\5" + data[26:])
    assert not read_header(data).lossy
