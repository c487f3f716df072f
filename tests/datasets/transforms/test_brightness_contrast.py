import random

import lwam_mm.plugin  # isort: skip  # noqa: F401
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from lwam_mm.datasets.transforms.brightness_contrast import RandomBrightnessContrast

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def changed(brightness: float, contrast: float) -> np.ndarray:
    transform = RandomBrightnessContrast((brightness, brightness), (contrast, contrast))
    return transform(dict(img=IMAGE.copy()))["img"]


@pytest.mark.parametrize("brightness", [0.0, 0.5, 1.0, 1.23, 1.4])
@pytest.mark.parametrize("contrast", [0.0, 0.6, 1.0, 1.7, 2.2])
def test_it_is_pillows_image_enhance(brightness, contrast):
    wanted = Image.fromarray(np.ascontiguousarray(IMAGE[..., ::-1]))
    wanted = ImageEnhance.Brightness(wanted).enhance(brightness)
    wanted = np.asarray(ImageEnhance.Contrast(wanted).enhance(contrast))[..., ::-1]
    image = changed(brightness, contrast)
    assert image.dtype == np.uint8
    # The mean grey value may round to the other side, which moves values by less than 2.
    difference = np.abs(image.astype(int) - wanted)
    assert difference.max() <= 2
    assert (difference > 0).mean() < 0.02


def test_factors_of_one_change_nothing():
    np.testing.assert_array_equal(changed(1.0, 1.0), IMAGE)


def test_factors_cover_their_ranges_evenly():
    transform = RandomBrightnessContrast()
    random.seed(0)
    drawn = np.array([transform._draw() for _ in range(4000)])
    for values, (low, high) in zip(drawn.T, ((0.5, 1.4), (0.6, 2.2)), strict=True):
        counts, _ = np.histogram(values, bins=8, range=(low, high))
        assert counts.sum() == 4000
        assert counts.min() > 420
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.05


def test_masks_are_left_alone():
    mask = np.arange(6, dtype=np.uint8)[None]
    results = RandomBrightnessContrast()(
        dict(img=IMAGE, gt_seg_map=mask, seg_fields=["gt_seg_map"])
    )
    assert results["gt_seg_map"] is mask


def test_it_is_repeatable_under_a_seed():
    def run() -> np.ndarray:
        random.seed(5)
        return RandomBrightnessContrast()(dict(img=IMAGE.copy()))["img"]

    first = run()
    np.testing.assert_array_equal(first, run())
    assert (first != IMAGE).any()


@pytest.mark.parametrize("bad", [(-0.1, 1.0), (1.2, 0.8)])
@pytest.mark.parametrize("name", ["brightness", "contrast"])
def test_bad_arguments(name, bad):
    with pytest.raises(ValueError, match=f"{name}=.*Remedy: "):
        RandomBrightnessContrast(**{name: bad})


def test_repr_shows_the_arguments():
    assert repr(RandomBrightnessContrast()) == (
        "RandomBrightnessContrast(brightness=(0.5, 1.4), contrast=(0.6, 2.2))"
    )
