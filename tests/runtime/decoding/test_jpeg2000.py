import struct

import numpy as np
import pytest
from both_sides import bgr, pillow, read_both, refusal
from PIL import Image

from lwam_mm.datasets.decode import decode_mask
from lwam_mm.datasets.problem import DatasetError


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_8_bits(path, noise, channels, bare):
    pixels = noise[..., :channels].squeeze()
    data = pillow(pixels, "JPEG2000", no_jp2=bare)
    np.testing.assert_array_equal(read_both(path, data), bgr(pixels))


def test_16_bits(path, deep):
    data = pillow(deep[..., 0], "JPEG2000")
    wanted = bgr(np.rint(deep[..., 0] / 257).astype(np.uint8))
    np.testing.assert_array_equal(read_both(path, data), wanted)


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_refused(path, noise, channels, bare):
    data = pillow(noise[..., :channels], "JPEG2000", no_jp2=bare)
    assert f"{channels} channels, with alpha or a palette" in refusal(path, data)


def test_the_orientation_of_a_converted_jpeg_is_applied(path, noise):
    exif = Image.Exif()
    exif[0x0112] = 4
    tagged = b"JpgTiffExif->JP2" + exif.tobytes().removeprefix(b"Exif\0\0")
    data = pillow(noise[..., 0], "JPEG2000")
    first = data.index(b"jp2h") - 4
    data = data[:first] + box(b"uuid", tagged) + data[first:]
    np.testing.assert_array_equal(read_both(path, data), bgr(noise[::-1, :, 0]))


@pytest.mark.parametrize(
    ("depth", "told"), [(11, "not all of 8 or 16 bits"), (0x87, "not all of 8 or 16 bits")]
)
def test_other_depths_and_signed_samples_are_refused(path, noise, depth, told):
    data = bytearray(pillow(noise[..., 0], "JPEG2000", no_jp2=True))
    data[42] = depth
    assert told in refusal(path, bytes(data))


def test_other_colour_spaces_are_refused(path, noise):
    data = pillow(noise[..., :3], "JPEG2000")
    place = data.index(b"colr") + 7
    assert "colour space 18" in refusal(
        path, data[:place] + struct.pack(">I", 18) + data[place + 4 :]
    )


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.99])
def test_a_file_that_breaks_off(path, smooth, zeros, share):
    data = pillow(smooth, "JPEG2000")
    end = int(share * len(data))
    text = refusal(path, data[:end] + bytes(zeros * (len(data) - end)))
    assert "is a truncated JPEG 2000" in text


def test_a_mask_is_refused_for_the_file_does_not_say_whether_it_is_lossless(path, noise):
    for rate in (None, [4]):
        data = pillow(noise[..., 0] % 6, "JPEG2000", quality_layers=rate)
        with pytest.raises(DatasetError, match=r"is a JPEG 2000 file, whose lossy compression"):
            decode_mask(data, path, 6)
