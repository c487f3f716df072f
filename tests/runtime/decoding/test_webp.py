import cv2
import numpy as np
import pytest
from both_sides import bgr, pillow, read_both, refusal
from PIL import Image

from lwam_mm.datasets.decode import decode_mask
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.runtime.decoding import read_header


@pytest.mark.parametrize("channels", [3, 4])
def test_lossless_with_and_without_alpha(path, noise, channels):
    pixels = noise[..., :channels]
    data = pillow(pixels, "WEBP", lossless=True, exact=True)
    header = read_header(data)
    assert (header.width, header.height, header.alpha) == (30, 20, channels == 4)
    assert not header.lossy
    np.testing.assert_array_equal(read_both(path, data), bgr(pixels))


@pytest.mark.parametrize("channels", [3, 4])
def test_lossy_with_and_without_alpha(path, noise, channels):
    data = pillow(noise[..., :channels], "WEBP")
    assert read_header(data).lossy
    wanted = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., :3]
    np.testing.assert_array_equal(read_both(path, data), wanted)


def test_the_orientation_is_applied(path, noise):
    exif = Image.Exif()
    exif[0x0112] = 5
    data = pillow(noise[..., :3], "WEBP", lossless=True, exif=exif)
    np.testing.assert_array_equal(read_both(path, data), bgr(noise[..., :3]).swapaxes(0, 1))


def test_an_orientation_that_is_cut_off_is_not_lost(path, noise):
    exif = Image.Exif()
    exif[0x0112] = 5
    data = pillow(noise[..., :3], "WEBP", lossless=True, exif=exif)
    assert "is a truncated WebP (it has" in refusal(path, data[:-4])
    assert "is a truncated WebP" in refusal(path, data[: data.index(b"EXIF")])
    zeros = bytes(len(data) - data.index(b"EXIF"))
    assert "filled up with zeros" in refusal(path, data[: data.index(b"EXIF")] + zeros)


def test_an_animation_is_refused(path, noise):
    frames = [Image.fromarray(noise[..., i]) for i in range(3)]
    data = pillow(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    assert "has 2 pages" in refusal(path, data)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_file_that_breaks_off(path, smooth, lossless, zeros, share):
    data = pillow(smooth, "WEBP", lossless=lossless)
    end = int(share * len(data))
    text = refusal(path, data[:end] + bytes(zeros * (len(data) - end)))
    assert "truncated WebP" in text


def test_flat_pictures_may_end_in_zeros(path):
    data = pillow(np.full((1024, 1024, 3), 90, np.uint8), "WEBP")
    assert data.endswith(bytes(64))
    assert np.ptp(read_both(path, data), axis=(0, 1)).max() == 0


@pytest.mark.parametrize("lossless", [False, True])
def test_a_mask_is_refused(path, noise, lossless):
    data = pillow(noise[..., 0] % 6, "WEBP", lossless=lossless)
    with pytest.raises(DatasetError, match="is a colour image"):
        decode_mask(data, path, 6)
