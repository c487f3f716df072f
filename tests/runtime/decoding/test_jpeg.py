import struct

import cv2
import numpy as np
import pytest
from both_sides import pillow, read_both, refusal
from PIL import Image


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
def test_it_is_read_as_opencv_reads_it(path, smooth, mode, progressive):
    data = pillow(Image.fromarray(smooth).convert(mode), "JPEG", progressive=progressive)
    wanted = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(read_both(path, data), wanted)


def test_cmyk_is_refused(path, smooth):
    data = pillow(Image.fromarray(smooth).convert("CMYK"), "JPEG")
    assert "4 channels (CMYK?)" in refusal(path, data)


@pytest.mark.parametrize(
    ("frame", "bits", "told"), [(0xC3, 8, "frame type 3"), (0xC1, 12, "12 bits")]
)
def test_uncommon_kinds_are_refused(path, smooth, frame, bits, told):
    data = bytearray(pillow(smooth, "JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 1], data[place + 4] = frame, bits
    assert told in refusal(path, bytes(data))


@pytest.mark.parametrize("source", ["exif", "xmp"])
def test_the_orientation_is_applied(path, smooth, source):
    exif = Image.Exif()
    exif[0x0112] = 8
    tag = dict(exif=exif) if source == "exif" else dict(xmp=b"<tiff:Orientation>8</>")
    plain = read_both(path, pillow(smooth, "JPEG"))
    turned = read_both(path, pillow(smooth, "JPEG", **tag))
    np.testing.assert_array_equal(turned, plain.swapaxes(0, 1)[::-1])


def test_exif_comes_before_xmp(path, smooth):
    exif = Image.Exif()
    exif[0x0112] = 3
    plain = read_both(path, pillow(smooth, "JPEG"))
    both = read_both(path, pillow(smooth, "JPEG", exif=exif, xmp=b"<tiff:Orientation>8</>"))
    np.testing.assert_array_equal(both, plain[::-1, ::-1])


def multi_picture(smooth: np.ndarray, kind: int) -> bytes:
    image = Image.fromarray(smooth)
    data = bytearray(pillow(image, "MPO", save_all=True, append_images=[image]))
    listing = data.index(b"MPF\0") + 4
    order = "<" if data.startswith(b"II", listing) else ">"
    tag = data.index(struct.pack(order + "HHI", 0xB002, 7, 32), listing)
    (place,) = struct.unpack_from(order + "I", data, tag + 8)
    struct.pack_into(order + "I", data, listing + place + 16, kind)
    return bytes(data)


def test_several_pictures_are_refused_but_a_preview_does_no_harm(path, smooth):
    assert "has 2 pages" in refusal(path, multi_picture(smooth, 0x020002))
    plain = read_both(path, pillow(smooth, "JPEG"))
    np.testing.assert_array_equal(read_both(path, multi_picture(smooth, 0x010001)), plain)


def test_a_header_without_a_picture_is_refused(path, smooth):
    data = pillow(smooth, "JPEG")
    assert "it holds no picture" in refusal(path, data[:20] + b"\xff\xd9")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.99])
@pytest.mark.parametrize("zeros", [False, True])
def test_a_file_that_breaks_off(path, smooth, share, zeros):
    data = pillow(smooth, "JPEG")
    end = int(share * len(data))
    text = refusal(path, data[:end] + bytes(zeros * (len(data) - end)))
    assert "is a truncated JPEG" in text
