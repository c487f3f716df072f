from __future__ import annotations

import random

import lwam_mm.plugin  # isort: skip  # noqa: F401
import cv2
import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.classes import CLASSES, IGNORE_INDEX
from lwam_mm.datasets.problem import DatasetError

LEVEL = 120
SIZE = (200, 260)


def drawn(seed: int = 0, mask: np.ndarray | None = None, classes=CLASSES, **options) -> dict:
    random.seed(seed)
    mask = np.zeros(SIZE, np.uint8) if mask is None else mask
    image = np.full((*mask.shape, 3), LEVEL, np.uint8)
    draw = TRANSFORMS.build(dict(dict(type="DrawDefects", prob=1.0), **options))
    return draw(dict(img=image, gt_seg_map=mask, classes=classes))


def test_every_kind_but_lattice_is_drawn_and_labelled():
    seen = set()
    for seed in range(10):
        found = drawn(seed)
        assert found["img"].dtype == found["gt_seg_map"].dtype == np.uint8
        assert found["img"].shape == (*SIZE, 3)
        seen |= set(np.unique(found["gt_seg_map"]))
    assert {CLASSES[label] for label in seen} == set(CLASSES) - {"Lattice"}


@pytest.mark.parametrize("seed", range(5))
def test_the_frame_changes_where_it_is_labelled(seed):
    found = drawn(seed)
    labelled = found["gt_seg_map"] > 0
    change = np.abs(found["img"].astype(int).mean(axis=2) - LEVEL)
    assert change[labelled].mean() > 3 * change[~labelled].mean()
    assert (np.ptp(found["img"], axis=2) == 0).all()  # grey stays grey


def test_the_light_of_the_frame_stays():
    random.seed(1)
    image = np.repeat(np.linspace(40, 200, SIZE[1], dtype=np.uint8)[None], SIZE[0], axis=0)
    image = np.repeat(image[..., None], 3, axis=2)
    sample = dict(img=image, gt_seg_map=np.zeros(SIZE, np.uint8), classes=CLASSES)
    found = TRANSFORMS.build(dict(type="DrawDefects", prob=1.0))(sample)
    far = cv2.dilate((found["gt_seg_map"] > 0).astype(np.uint8), np.ones((31, 31))) == 0
    assert far.mean() > 0.05
    assert np.abs(found["img"].astype(int) - image)[far].max() <= 5


def test_labels_of_the_frame_stay():
    mask = np.zeros(SIZE, np.uint8)
    mask[50:90, 50:150], mask[120:160] = 5, IGNORE_INDEX
    found = drawn(mask=mask.copy())["gt_seg_map"]
    assert (found[mask > 0] == mask[mask > 0]).all()
    assert (found[mask == 0] > 0).any()
    assert IGNORE_INDEX not in found[mask == 0]


def test_nothing_is_drawn_outside_the_region_of_interest():
    found = drawn(roi=[[100, 0], [259, 0], [259, 199], [100, 199]])
    assert (found["gt_seg_map"][:, 100:] > 0).any()
    assert not found["gt_seg_map"][:, :100].any()
    assert (found["img"][:, :95] == LEVEL).all()


def test_equal_seeds_draw_equal_defects_and_others_do_not():
    first, again, other = drawn(3), drawn(3), drawn(4)
    assert (first["img"] == again["img"]).all()
    assert (first["gt_seg_map"] == again["gt_seg_map"]).all()
    assert (first["gt_seg_map"] != other["gt_seg_map"]).any()


def test_each_kind_comes_with_its_probability():
    kept = drawn(prob=0.0)
    assert not kept["gt_seg_map"].any()
    assert (kept["img"] == LEVEL).all()
    untouched = [not drawn(seed, prob=0.1)["gt_seg_map"].any() for seed in range(100)]
    assert 0.35 < np.mean(untouched) < 0.75  # 0.9 ** 6 = 0.53


@pytest.mark.parametrize("classes", [("Powder", "Hole"), (*CLASSES[:-1], "Crack")])
def test_other_classes_than_the_papers_are_refused(classes):
    """Equally many others as well: what is drawn would bear their names."""
    with pytest.raises(DatasetError, match=rf"{classes[-1]}, and.*Remedy: take DrawDefects out"):
        drawn(classes=classes)


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match=r"prob=1\.5"):
        drawn(prob=1.5)
