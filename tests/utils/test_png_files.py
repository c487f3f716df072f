import cv2
import numpy as np
import pytest

from lwam_mm.utils.png_files import PngError, encode_png, write_png


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_image_comes_back_as_it_was(tmp_path, shape, dtype):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    path = write_png(tmp_path / "folder" / "image.png", image)
    assert path.read_bytes() == encode_png(image)
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert read.dtype == dtype
    assert np.array_equal(read, image)


@pytest.mark.parametrize("image", [np.zeros((0, 4), np.uint8), np.zeros((4, 4, 7), np.uint8)])
def test_what_png_cannot_hold_is_refused_and_nothing_written(tmp_path, image):
    with pytest.raises(PngError, match=r"shape \(\d, 4(, 7)?\).*uint8"):
        write_png(tmp_path / "image.png", image)
    assert list(tmp_path.iterdir()) == []
