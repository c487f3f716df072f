import struct

import numpy as np
import pytest
from both_sides import bgr, pillow, read_both, refusal
from PIL import Image

from lwam_mm.datasets.decode import decode_mask
from lwam_mm.datasets.problem import DatasetError

RED_FIRST, BLUE_FIRST = (0xFF, 0xFF00, 0xFF0000), (0xFF0000, 0xFF00, 0xFF)


def encode(pixels: bytes, bits: int, *, height=20, size=40, compression=0, masks=(), palette=b""):
    head = struct.pack("<IiiHHI", size, 30, height, 1, bits, compression)
    head += struct.pack("<IiiII", len(pixels), 0, 0, len(palette) // 4, 0)
    head += struct.pack(f"<{len(masks)}I", *masks)
    head += bytes(max(0, size - len(head))) + palette
    start = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + head + pixels


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_it_is_read_as_pillow_writes_it(path, noise, mode):
    image = Image.fromarray(noise) if mode == "RGBA" else Image.fromarray(noise[..., :3])
    image = image.convert(mode)
    wanted = bgr(np.asarray(image.convert("RGB")))
    np.testing.assert_array_equal(read_both(path, pillow(image, "BMP")), wanted)


@pytest.mark.parametrize("size", [40, 124])
@pytest.mark.parametrize("options", [{}, dict(compression=3, masks=BLUE_FIRST)])
def test_32_bits_from_the_bottom_or_from_the_top(path, noise, size, options):
    data = encode(noise.tobytes(), 32, size=size, **options)
    np.testing.assert_array_equal(read_both(path, data), noise[::-1, :, :3])
    data = encode(noise.tobytes(), 32, size=size, height=-20, **options)
    np.testing.assert_array_equal(read_both(path, data), noise[..., :3])


@pytest.mark.parametrize(
    ("bits", "options"),
    [
        (16, {}),
        (8, dict(compression=1)),
        (32, dict(compression=3, masks=RED_FIRST)),
        (32, dict(compression=6, masks=BLUE_FIRST)),
        (16, dict(compression=3, masks=(0xF800, 0x7E0, 0x1F))),
    ],
)
def test_what_opencv_reads_in_its_own_way_is_refused(path, noise, bits, options):
    told = f"is a BMP of {bits} bits with compression {options.get('compression', 0)}"
    assert told in refusal(path, encode(noise.tobytes(), bits, **options))


@pytest.mark.parametrize("missing", [1, 1000])
def test_missing_pixels(path, noise, missing):
    data = encode(noise.tobytes(), 32)
    assert "is a truncated BMP (it has" in refusal(path, data[:-missing])
    assert "is a truncated BMP" in refusal(path, data[:20])
    assert "is a truncated BMP" in refusal(path, data[:2] + bytes(len(data) - 2))


def test_a_mask_needs_the_plain_grey_palette(path, noise):
    rows = np.zeros((20, 32), np.uint8)
    rows[:, :30] = noise[..., 0] % 6
    grey = np.arange(256, dtype=np.uint8)[:, None].repeat(4, axis=1)
    mask = decode_mask(encode(rows.tobytes(), 8, palette=grey.tobytes()), path, 6)
    np.testing.assert_array_equal(mask, rows[::-1, :30])
    for palette in (grey[::-1], noise[:9].reshape(-1, 4)[:256], grey[:6]):
        with pytest.raises(DatasetError, match="is a palette image"):
            decode_mask(encode(rows.tobytes(), 8, palette=palette.tobytes()), path, 6)
