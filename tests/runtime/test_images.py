from pathlib import Path

import cv2
import numpy as np
import pytest

from lwam_mm.runtime import ImageError, read_image
from lwam_mm.runtime.decoding.decode import _LOGGING
from lwam_mm.runtime.images import check_array, to_8bit


def save(path, image, *flags):
    assert cv2.imwrite(str(path), image, list(flags))
    return path


@pytest.mark.parametrize("size", [(37, 53), (53, 37), (1, 1), (1, 300), (16, 16)])
def test_a_colour_file_is_read_as_it_is(tmp_path, picture, size):
    image = picture(*size)
    read = read_image(save(tmp_path / "a.png", image))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, image)


def test_grey_becomes_three_equal_channels(tmp_path, picture):
    grey = picture(37, 53)[:, :, 0]
    read = read_image(str(save(tmp_path / "a.png", grey)))
    np.testing.assert_array_equal(read, np.dstack([grey] * 3))


@pytest.mark.parametrize("bits", [8, 16])
def test_alpha_is_dropped(tmp_path, picture, bits):
    image = picture(37, 53)
    alpha = np.dstack([image, np.arange(37 * 53, dtype=np.uint8).reshape(37, 53)])
    alpha = alpha if bits == 8 else alpha.astype(np.uint16) * 257
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", alpha)), image)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_is_divided_by_257(tmp_path, suffix, channels):
    values = np.random.default_rng(0).integers(0, 65536, (20, 30, channels), dtype=np.uint16)
    values[0, 0], values[0, 1] = 0, 65535
    expected = np.broadcast_to(np.rint(values / 257), (20, 30, 3))
    read = read_image(save(tmp_path / f"a{suffix}", values.squeeze()))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, expected)
    assert (read[0, 0] == 0).all()
    assert (read[0, 1] == 255).all()


def test_every_8_bit_value_survives_16_bit():
    values = np.arange(256, dtype=np.uint16)
    np.testing.assert_array_equal(to_8bit(values * 257), values)


def test_exif_orientation_is_applied(tmp_path):
    image = np.zeros((16, 32, 3), np.uint8)
    image[:, :16] = 255
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    turn_right = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + turn_right + bytes(4)
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg[:2] + segment + jpeg[2:])
    read = read_image(path)
    assert read.shape == (32, 16, 3)
    assert read[:15].min() > 200
    assert read[17:].max() < 50


@pytest.mark.parametrize("kept", [0.3, 0.9, -1, -2])
@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("tail", [b"", bytes(50_000)])
def test_a_truncated_jpeg_is_refused(tmp_path, picture, kept, progressive, tail):
    data = cv2.imencode(".jpg", picture(200, 300), [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])[
        1
    ].tobytes()
    end = kept if kept < 0 else int(len(data) * kept)
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert read_image(path).shape == (200, 300, 3)
    path.write_bytes(data[:end] + tail)
    assert cv2.imread(str(path)) is not None or tail  # OpenCV itself takes it
    with pytest.raises(ImageError, match=r"a\.jpg is a truncated JPEG"):
        read_image(path)


def test_a_thumbnails_end_is_not_the_images_end_and_a_cameras_tail_is_harmless(tmp_path, picture):
    def is_complete(data: bytes) -> bool:
        (tmp_path / "a.jpg").write_bytes(data)
        try:
            return read_image(tmp_path / "a.jpg").shape == (64, 64, 3)
        except ImageError as error:
            assert "a.jpg is a truncated JPEG" in str(error)  # noqa: PT017
            return False

    jpeg = cv2.imencode(".jpg", picture(64, 64))[1].tobytes()
    segment = b"\xff\xe1" + (len(jpeg) + 2).to_bytes(2, "big") + jpeg
    nested = jpeg[:2] + segment + jpeg[2:]
    assert is_complete(nested)
    assert not is_complete(nested[:-2])
    assert is_complete(nested + b"camera tail \xff")
    assert not any(is_complete(jpeg[:cut]) for cut in range(3, len(jpeg)))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp", ".ppm", ".jp2"])
def test_other_truncated_files_are_refused(tmp_path, picture, suffix, capfd):
    path = save(tmp_path / f"a{suffix}", picture(200, 300))
    data = path.read_bytes()
    for end in [len(data) // 2, len(data) - 1]:
        path.write_bytes(data[:end])
        with pytest.raises(ImageError, match=f"a{suffix} is a truncated "):
            read_image(path)
    assert "OpenCV" not in capfd.readouterr().err


def test_a_damaged_png_is_refused(tmp_path, picture):
    path = save(tmp_path / "a.png", picture(200, 300))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"a\.png is a damaged or truncated PNG"):
        read_image(path)


def test_several_pages_are_refused(tmp_path, picture):
    path = tmp_path / "layers.tif"
    assert cv2.imwritemulti(str(path), [picture(20, 30), picture(20, 30, seed=1)])
    with pytest.raises(ImageError, match=r"layers\.tif has 2 pages: split it"):
        read_image(path)


def test_an_image_of_absurd_size_is_refused(tmp_path, picture):
    path = save(tmp_path / "a.bmp", picture(4, 6))
    data = bytearray(path.read_bytes())
    data[18:26] = (100_000).to_bytes(4, "little") * 2
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"a\.bmp is a truncated BMP"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", r"is empty \(0 bytes\)"),
        (bytes(1000), "is not in an image format that is read"),
        (b"not an image", "is not in an image format that is read"),
        ("folder", "is a folder"),
    ],
)
def test_what_is_no_image_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "a.png"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"a\.png {message}"):
        read_image(path)


def test_opencvs_log_level_is_put_back(tmp_path):
    before = _LOGGING.getLogLevel()
    _LOGGING.setLogLevel(4)
    try:
        (tmp_path / "a.png").write_bytes(b"x")
        with pytest.raises(ImageError):
            read_image(tmp_path / "a.png")
        assert _LOGGING.getLogLevel() == 4
    finally:
        _LOGGING.setLogLevel(before)


def test_a_grey_array_becomes_three_channels(picture):
    grey = picture(5, 7)[:, :, 0]
    np.testing.assert_array_equal(check_array(grey), np.dstack([grey] * 3))


def test_a_view_is_taken_by_its_values(picture):
    view = picture(20, 30)[::-2, ::3]
    checked = check_array(view)
    np.testing.assert_array_equal(checked, view)
    assert checked.flags.c_contiguous  # OpenCV takes no negative strides


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((4, 4, 3), np.nan, np.float32), "dtype float32"),
        (np.zeros((4, 4), np.float64), "dtype float64"),
        (np.zeros((4, 4), np.uint16), "dtype uint16"),
        (np.zeros((4, 4), bool), "dtype bool"),
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\)"),
        (np.zeros((4, 4, 1), np.uint8), r"shape \(4, 4, 1\)"),
        (np.zeros((3,), np.uint8), r"shape \(3,\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"shape \(1, 4, 4, 3\)"),
        (np.zeros((0, 4), np.uint8), "no pixel"),
        (np.zeros((4, 0, 3), np.uint8), "no pixel"),
        ([[0, 0], [0, 0]], "is a list"),
        (None, "is a NoneType"),
    ],
)
def test_an_array_of_another_kind_is_refused(array, message):
    with pytest.raises(ImageError, match=f"the image (is|has) .*{message.split('is ')[-1]}"):
        check_array(array)


def test_a_file_that_is_larger_than_the_memory_is_refused(tmp_path, monkeypatch):
    def too_large(path):
        raise MemoryError

    monkeypatch.setattr(Path, "read_bytes", too_large)
    with pytest.raises(ImageError, match=r"a\.png is larger than the memory"):
        read_image(tmp_path / "a.png")
