from __future__ import annotations

import random

import lwam_mm.plugin  # isort: skip  # noqa: F401
import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.transforms.defect_crop import RandomDefectCrop


def cropped(mask: np.ndarray, **options) -> dict:
    # The image is its own coordinates, so that a crop says where it was.
    rows, columns = np.indices(mask.shape)
    image = np.stack([rows, columns, mask], axis=2).astype(np.uint8)
    crop = TRANSFORMS.build(dict(type="RandomDefectCrop", **options))
    return crop(dict(img=image, gt_seg_map=mask.copy(), seg_fields=["gt_seg_map"]))


@pytest.fixture(autouse=True)
def seed():
    random.seed(0)


def test_the_smallest_defect_is_always_in_it_and_anywhere_in_it():
    mask = np.zeros((90, 120), np.uint8)
    mask[0, 119] = 3  # in a corner: the crop stays within the image
    mask[50, 60] = 2
    seen, places = {2: 0, 3: 0}, set()
    for _ in range(200):
        found = cropped(mask, crop_size=(32, 24))
        assert found["img"].shape == (32, 24, 3)
        assert found["img_shape"] == (32, 24)
        np.testing.assert_array_equal(found["img"][..., 2], found["gt_seg_map"])
        (defect,) = set(np.unique(found["gt_seg_map"])) - {0}
        seen[defect] += 1
        if defect == 2:
            places.add(tuple(np.argwhere(found["gt_seg_map"] == 2)[0]))
    assert min(seen.values()) > 70  # each class as often, however large
    assert len({y for y, _ in places}) > 20
    assert len({x for _, x in places}) > 15


def test_classes_count_alike_however_large_they_are():
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :30], mask[40, 60] = 1, 5
    with_small = sum((cropped(mask, crop_size=(8, 8))["gt_seg_map"] == 5).any() for _ in range(200))
    assert 70 < with_small < 130


@pytest.mark.parametrize("mask", [np.zeros((40, 40), np.uint8), np.full((40, 40), 255, np.uint8)])
def test_without_a_defect_it_lies_anywhere(mask):
    corners = {tuple(cropped(mask, crop_size=(16, 16))["img"][0, 0, :2]) for _ in range(100)}
    assert len(corners) > 60
    assert max(map(max, corners)) > 20


def test_it_looks_for_a_defect_as_often_as_it_is_told():
    mask = np.zeros((100, 100), np.uint8)
    mask[50, 50] = 1
    hits = sum(
        (cropped(mask, crop_size=(10, 10), prob=0.5)["gt_seg_map"] == 1).any() for _ in range(300)
    )
    assert 115 < hits < 200


def test_a_small_image_stays_whole():
    found = cropped(np.zeros((20, 90), np.uint8), crop_size=(32, 32))
    assert found["img"].shape == (20, 32, 3)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (dict(crop_size=(0, 5)), r"crop_size=\(0, 5\)"),
        (dict(crop_size=(8, 8), prob=1.5), "prob=1.5"),
    ],
)
def test_bad_arguments_are_named(options, named):
    with pytest.raises(ValueError, match=named):
        RandomDefectCrop(**options)
