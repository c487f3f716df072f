from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2

import lwam_mm.plugin  # isort: skip  # noqa: F401
import numpy as np
import pytest
from mmengine.dataset import ClassBalancedDataset

from lwam_mm.datasets.powder_bed import PowderBedDataset
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.datasets.samplers.oversample import repeat_rare

# 20 images: class 1 in two of them, class 2 in one of these.
CLASSES = {0: {0, 1}, 1: {0, 1, 2}, **{index: {0} for index in range(2, 20)}}


@pytest.fixture
def root(tmp_path) -> Path:
    for folder in ("images/train", "masks/train"):
        (tmp_path / folder).mkdir(parents=True)
    for index, classes in CLASSES.items():
        mask = np.zeros((8, 8), np.uint8)
        mask[0] = 255
        for row, value in enumerate(sorted(classes), start=1):
            mask[row] = value
        for folder in ("images", "masks"):
            cv2.imwrite(str(tmp_path / folder / f"train/{index:02}.png"), mask)
    return tmp_path


def dataset(root: Path, **options) -> PowderBedDataset:
    return PowderBedDataset(
        data_root=str(root),
        data_prefix=dict(img_path="images/train", seg_map_path="masks/train"),
        pipeline=[],
        **options,
    )


def times(found: PowderBedDataset) -> dict[int, int]:
    paths = [found.get_data_info(index)["img_path"] for index in range(len(found))]
    return Counter(int(Path(path).stem) for path in paths)


@pytest.mark.parametrize("threshold", [1.0, 0.3])
def test_rare_classes_come_as_often_as_mmengine_has_them(root, threshold):
    class Listed:
        metainfo: dict = {}  # noqa: RUF012

        def __len__(self) -> int:
            return len(CLASSES)

        def get_cat_ids(self, index: int) -> list[int]:
            return list(CLASSES[index])

        def full_init(self) -> None: ...

    theirs = ClassBalancedDataset.__new__(ClassBalancedDataset)
    theirs.dataset = Listed()
    factors = theirs._get_repeat_factors(theirs.dataset, threshold)
    expected = {index: int(np.ceil(factor)) for index, factor in enumerate(factors)}
    assert times(dataset(root, oversample_thr=threshold)) == expected
    assert expected[1] > expected[0] > expected[2] == 1


def test_without_it_each_image_comes_once(root):
    assert set(times(dataset(root)).values()) == {1}


def test_repeats_are_samples_of_their_own(root):
    found = dataset(root, oversample_thr=1.0)
    found.get_data_info(0)["seg_fields"].append("changed")
    assert all(not found.get_data_info(i)["seg_fields"] for i in range(len(found)))


def test_samples_without_masks_are_not_repeated():
    samples = [dict(img_path="a", num_classes=6), dict(img_path="b", num_classes=6)]
    assert repeat_rare(samples, 1.0) == samples


def test_a_threshold_that_is_none_is_an_error(root):
    with pytest.raises(DatasetError, match="oversample_thr=2"):
        dataset(root, oversample_thr=2)
