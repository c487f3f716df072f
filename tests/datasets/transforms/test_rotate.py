import random

import lwam_mm.plugin  # isort: skip  # noqa: F401
import numpy as np
import pytest
from PIL import Image

from lwam_mm.datasets.transforms.rotate import RandomWholeAngleRotate

RNG = np.random.default_rng(0)
MASK = np.kron(RNG.integers(0, 6, (8, 8)), np.ones((8, 8))).astype(np.uint8)
IMAGE = RNG.integers(1, 256, (64, 64, 3), np.uint8)


def turned(angle: int, image=IMAGE, mask=MASK, **options) -> tuple[np.ndarray, np.ndarray]:
    rotate = RandomWholeAngleRotate(prob=1.0, angle_range=(angle, angle + 1), **options)
    results = rotate(dict(img=image.copy(), gt_seg_map=mask.copy(), seg_fields=["gt_seg_map"]))
    return results["img"], results["gt_seg_map"]


@pytest.mark.parametrize("angle", [-180, -37, 0, 12, 45, 90, 179])
def test_it_is_pillows_nearest_rotation_without_expansion(angle):
    image, mask = turned(angle)
    # Pillow counts angles the other way round. At pixel edges the two may round differently.
    wanted = np.asarray(Image.fromarray(IMAGE).rotate(-angle, Image.Resampling.NEAREST))
    assert image.shape == IMAGE.shape
    assert (image != wanted).any(axis=2).mean() < 0.03
    wanted = np.asarray(
        Image.fromarray(MASK).rotate(-angle, Image.Resampling.NEAREST, fillcolor=255)
    )
    assert mask.shape == MASK.shape
    assert (mask != wanted).mean() < 0.03


@pytest.mark.parametrize("angle", [-180, -90, 0, 90])
def test_right_angles_lose_nothing(angle):
    image, mask = turned(angle)
    np.testing.assert_array_equal(image, np.rot90(IMAGE, -angle // 90))
    np.testing.assert_array_equal(mask, np.rot90(MASK, -angle // 90))


def test_image_and_mask_turn_alike():
    image, mask = turned(33, image=np.repeat(MASK[..., None] + 1, 3, axis=2))
    inside = mask != 255
    np.testing.assert_array_equal(image[..., 0][inside], mask[inside] + 1)
    assert (image[~inside] == 0).all()
    assert 0.1 < (~inside).mean() < 0.3


@pytest.mark.parametrize(
    ("options", "image_fill", "mask_fill"),
    [
        ({}, 0, 255),
        (dict(seg_pad_val=0), 0, 0),
        (dict(pad_val=9, seg_pad_val=3), 9, 3),
    ],
)
def test_corners(options, image_fill, mask_fill):
    image, mask = turned(45, mask=np.ones((64, 64), np.uint8), **options)
    for y, x in ((0, 0), (0, 63), (63, 0), (63, 63)):
        assert image[y, x].tolist() == [image_fill] * 3
        assert mask[y, x] == mask_fill


def test_angles_are_whole_and_within_the_range():
    rotate = RandomWholeAngleRotate(prob=1.0, angle_range=(-180, 180))
    random.seed(0)
    drawn = {rotate._draw() for _ in range(6000)}
    assert drawn == set(range(-180, 180))


def test_half_of_the_samples_stay():
    rotate = RandomWholeAngleRotate(prob=0.5)
    random.seed(0)
    stayed = sum(rotate._draw() is None for _ in range(2000))
    assert 900 < stayed < 1100
    assert RandomWholeAngleRotate(prob=0.0)._draw() is None


def test_it_is_repeatable_under_a_seed():
    def run() -> list[np.ndarray]:
        random.seed(3)
        rotate = RandomWholeAngleRotate()
        return [rotate(dict(img=IMAGE.copy()))["img"] for _ in range(8)]

    for first, second in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "options",
    [dict(prob=1.5), dict(prob=-0.1), dict(angle_range=(5, 5)), dict(angle_range=(-0.5, 90))],
)
def test_bad_arguments(options):
    with pytest.raises(ValueError, match="Remedy: "):
        RandomWholeAngleRotate(**options)


def test_repr_shows_the_arguments():
    assert repr(RandomWholeAngleRotate()) == (
        "RandomWholeAngleRotate(prob=0.5, angle_range=(-180, 180), pad_val=0, seg_pad_val=255)"
    )
