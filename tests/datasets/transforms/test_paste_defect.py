from __future__ import annotations

import random

import lwam_mm.plugin  # isort: skip  # noqa: F401
import cv2
import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets import decode
from lwam_mm.datasets.powder_bed import PowderBedDataset
from lwam_mm.datasets.transforms.paste_defect import PasteDefect

SURFACE, LEVEL = 60, 150


@pytest.fixture(autouse=True)
def seed():
    random.seed(0)


@pytest.fixture
def donor(tmp_path) -> dict:
    """A dark hole (class 1) of 6x10 and a bright area (class 4), on a surface of its own level."""
    image, mask = np.full((60, 80, 3), LEVEL, np.uint8), np.zeros((60, 80), np.uint8)
    image[20:26, 30:40], mask[20:26, 30:40] = LEVEL // 3, 1
    image[40:, :], mask[40:, :] = 250, 4
    cv2.imwrite(str(tmp_path / "a.png"), image)
    cv2.imwrite(str(tmp_path / "a_mask.png"), mask)
    return dict(
        img_path=str(tmp_path / "a.png"),
        seg_map_path=str(tmp_path / "a_mask.png"),
        num_classes=6,
        seg_fields=[],
    )


def pasted(donor: dict, mask: np.ndarray | None = None, **options) -> dict:
    mask = np.zeros((50, 50), np.uint8) if mask is None else mask
    image = np.full((*mask.shape, 3), SURFACE, np.uint8)
    paste = TRANSFORMS.build(dict(dict(type="PasteDefect", classes=[1], prob=1.0), **options))
    sample = dict(img=image, gt_seg_map=mask, seg_fields=["gt_seg_map"], donors=[donor])
    return paste(sample)


def test_the_hole_keeps_its_contrast_to_the_surface_that_it_is_laid_on(donor):
    found = pasted(donor, scale=(1.0, 1.0))
    hole = found["gt_seg_map"] == 1
    assert hole.sum() == 60
    assert set(np.unique(found["gt_seg_map"])) == {0, 1}
    np.testing.assert_allclose(found["img"][hole], SURFACE / 3, atol=1)
    far = cv2.dilate(hole.astype(np.uint8), np.ones((15, 15))) == 0
    assert (found["img"][far] == SURFACE).all()
    rim = (cv2.dilate(hole.astype(np.uint8), np.ones((5, 5))) == 1) & ~hole
    np.testing.assert_allclose(found["img"][rim], SURFACE, atol=1)  # no seam of another level


def test_places_sizes_and_sides_vary(donor):
    places, sizes, shapes = set(), set(), set()
    for _ in range(60):
        rows, columns = np.nonzero(pasted(donor)["gt_seg_map"])
        places.add((rows.min(), columns.min()))
        sizes.add(len(rows))
        shapes.add((np.ptp(rows) + 1, np.ptp(columns) + 1))
    assert len(places) > 50
    assert min(sizes) < 40
    assert max(sizes) > 90
    assert len(shapes) > 5


def test_a_lopsided_defect_is_mirrored(donor):
    mask = cv2.imread(donor["seg_map_path"], cv2.IMREAD_UNCHANGED)
    mask[20:23, 30:35] = 0
    cv2.imwrite(donor["seg_map_path"], mask)
    corners = set()
    for _ in range(40):
        found = pasted(donor, scale=(1.0, 1.0))["gt_seg_map"]
        rows, columns = np.nonzero(found)
        box = found[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        corners.add(tuple(bool(box[y, x]) for y in (0, -1) for x in (0, -1)))
    assert len(corners) == 4


def test_other_defects_are_never_covered(donor):
    mask = np.zeros((50, 50), np.uint8)
    mask[:, 25:], mask[:5] = 3, 255
    changed = 0
    for _ in range(80):
        found = pasted(donor, mask.copy())
        np.testing.assert_array_equal(found["gt_seg_map"][mask > 0], mask[mask > 0])
        changed += (found["gt_seg_map"] == 1).any()
    assert changed > 0


def test_what_was_handed_over_stays_as_it_was(donor):
    mask = np.zeros((50, 50), np.uint8)
    before = dict(donor)
    assert (pasted(donor, mask)["gt_seg_map"] == 1).any()
    assert not mask.any()
    assert donor == before
    assert donor["seg_fields"] == []


@pytest.mark.parametrize(
    "options",
    [dict(prob=0.0), dict(classes=[2]), dict(min_pixels=61)],
    ids=["never", "no such defect", "too small"],
)
def test_nothing_is_laid(donor, options):
    found = pasted(donor, **options)
    assert not found["gt_seg_map"].any()
    assert (found["img"] == SURFACE).all()


def test_what_does_not_fit_is_left_out(donor):
    assert not pasted(donor, np.zeros((12, 90), np.uint8), scale=(1.0, 1.0))["gt_seg_map"].any()


def test_a_donor_that_is_all_defect_has_no_surroundings(donor):
    cv2.imwrite(donor["seg_map_path"], np.ones((60, 80), np.uint8))
    assert not pasted(donor, np.zeros((200, 200), np.uint8))["gt_seg_map"].any()


def test_it_happens_as_often_as_it_is_told(donor):
    hits = sum(pasted(donor, prob=0.3)["gt_seg_map"].any() for _ in range(200))
    assert 40 < hits < 80


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (dict(classes=[]), r"classes=\[\]"),
        (dict(classes=[0, 1]), r"classes=\[0, 1\]"),
        (dict(classes=[1], prob=2), "prob=2"),
        (dict(classes=[1], scale=(2.0, 1.0)), r"scale=\(2.0, 1.0\)"),
    ],
)
def test_bad_arguments_are_named(options, named):
    with pytest.raises(ValueError, match=named):
        PasteDefect(**options)


def test_the_data_set_draws_a_donor_in_training_alone(tiny_root):
    def samples(test_mode: bool) -> list[dict]:
        dataset = PowderBedDataset(
            data_root=str(tiny_root),
            data_prefix=dict(img_path="images/train", seg_map_path="masks/train"),
            pipeline=[],
            test_mode=test_mode,
        )
        return [dataset.prepare_data(0) for _ in range(30)]

    drawn = [tuple(d["img_path"] for d in sample["donors"]) for sample in samples(False)]
    assert len(set(drawn)) > 1
    assert len(set().union(*drawn)) == 3
    assert not any("donors" in sample for sample in samples(True))


def test_donors_without_such_a_defect_are_passed_over_and_read_once(donor, tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "clean.png"), np.zeros((60, 80), np.uint8))
    clean = str(tmp_path / "clean.png")
    barren = dict(donor, img_path=clean, seg_map_path=clean)
    paste, read = PasteDefect(classes=[1], prob=1.0), []
    load = decode.read_bytes
    monkeypatch.setattr(decode, "read_bytes", lambda path: read.append(str(path)) or load(path))
    for _ in range(3):
        mask = np.zeros((50, 50), np.uint8)
        image = np.full((50, 50, 3), SURFACE, np.uint8)
        sample = dict(img=image, gt_seg_map=mask, donors=[barren, barren, donor])
        assert (paste(sample)["gt_seg_map"] == 1).any()
    assert read.count(clean) == 2  # as an image and as a mask
    assert read.count(donor["img_path"]) == 3
