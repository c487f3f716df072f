import cv2
import numpy as np
import pytest
from both_sides import bgr, pillow, read_both, refusal
from make_tiff import make_tiff

from lwam_mm.runtime import ImageError, read_image
from lwam_mm.runtime.decoding import RefusedImageError, read_header, to_8bit


def png16(values: list[list[int]]) -> bytes:
    return cv2.imencode(".png", np.array(values, np.uint16))[1].tobytes()


@pytest.mark.parametrize("white_level", [1, 255, 1000, 1023, 4095, 16383, 65535, None])
@pytest.mark.parametrize("container", ["PNG", "TIFF", "JPEG2000"])
def test_the_white_level_becomes_255(path, container, white_level):
    top = white_level or 65535
    values = np.random.default_rng(0).integers(0, top + 1, (64, 64)).astype(np.uint16)
    values[0, :2] = 0, top
    data = pillow(values, container)
    wanted = [[round(int(value) * 255 / top) for value in row] for row in values]
    np.testing.assert_array_equal(
        read_both(path, data, white_level), bgr(np.array(wanted, np.uint8))
    )


def test_a_value_above_the_white_level_is_refused(path):
    text = refusal(path, png16([[0, 4095, 4096]]), white_level=4095)
    assert "has a value of 4096, above the white level 4095: set white_level" in text
    assert read_both(path, png16([[0, 4095, 4095]]), white_level=4095).max() == 255


def test_files_of_8_bits_do_not_need_a_white_level(path, noise):
    data = pillow(noise, "PNG")
    np.testing.assert_array_equal(read_both(path, data, white_level=4095), bgr(noise))


@pytest.mark.parametrize("white_level", [0, -1, 65536])
def test_there_is_no_such_white_level(path, white_level):
    path.write_bytes(png16([[0]]))
    with pytest.raises(ValueError, match=f"white_level is {white_level}: give a value of 1..65535"):
        read_image(path, white_level)


def test_an_array_above_the_white_level_is_an_image_error():
    with pytest.raises(ImageError, match="the image has a value of 9, above the white level 8"):
        to_8bit(np.array([9], np.uint16), 8)


def fake_png(width: int, height: int) -> bytes:
    data = pillow(np.zeros((1, 1), np.uint8), "PNG")
    return data[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:]


def test_images_of_14000_pixels_are_welcome():
    assert read_header(fake_png(14_000, 14_000)).width == 14_000


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ((2**20 + 1, 2), r"limit \(width: 1048576\).*MAX_IMAGE_WIDTH=1048577 "),
        ((2, 2**20 + 1), r"limit \(height: 1048576\).*MAX_IMAGE_HEIGHT=1048577 "),
        ((2**15, 2**15 + 1), r"limit \(pixels: 1073741824\).*MAX_IMAGE_PIXELS=1073774592 "),
    ],
)
def test_opencvs_limit_is_told_and_how_to_raise_it(path, size, told, monkeypatch):
    with pytest.raises(RefusedImageError, match=told):
        read_header(fake_png(*size))
    assert f"has {size[0]} x {size[1]} pixels, more than OpenCV's limit" in refusal(
        path, fake_png(*size)
    )
    for name in ("WIDTH", "HEIGHT", "PIXELS"):
        monkeypatch.setenv(f"OPENCV_IO_MAX_IMAGE_{name}", str(2**31))
    assert read_header(fake_png(*size)).width == size[0]


def test_other_formats_are_refused_whatever_opencv_reads(path, noise):
    for data in (pillow(noise[..., 0], "GIF"), cv2.imencode(".hdr", noise[..., :3])[1].tobytes()):
        assert "is not in an image format that is read" in refusal(path, data)


def test_what_opencv_decodes_differently_is_refused(path, noise, monkeypatch):
    data = pillow(noise[..., :3], "PNG")
    for strange in (
        np.zeros((20, 30, 3), np.uint16),
        np.zeros((30, 20, 3), np.uint8),
        np.zeros((20, 30), np.uint8),
        np.zeros((20, 30, 3), np.int8),
    ):
        monkeypatch.setattr(cv2, "imdecode", lambda *arguments, strange=strange: strange)
        assert "decodes as something else" in refusal(path, data)


@pytest.mark.parametrize(
    "write",
    [
        lambda image: pillow(image, "PPM"),
        lambda image: pillow(image[::-1], "BMP"),  # its last row is stored first
        lambda image: make_tiff(image),
        lambda image: make_tiff(image, {262: 0}),  # 0 is white
    ],
)
def test_an_uncompressed_picture_that_ends_in_zeros_is_refused(path, write):
    image = np.full((9, 40), 7, np.uint8)
    image[-1] = 0
    read_both(path, write(image))  # one row may be black
    image[-2] = 0
    assert "copy it again; if these rows are black, save it as PNG" in refusal(path, write(image))
    read_both(path, write(np.zeros_like(image)))


def test_black_rows_are_no_fault_where_the_format_has_checksums(path):
    image = np.zeros((9, 8), np.uint8)
    image[0] = 7
    np.testing.assert_array_equal(read_both(path, pillow(image, "PNG")), bgr(image))
