import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lwam_mm.datasets.check import DatasetReport, check_dataset
from lwam_mm.datasets.classes import CLASSES
from lwam_mm.datasets.splits import splits_from_root


def check(root: Path, classes=CLASSES) -> DatasetReport:
    return check_dataset(splits_from_root(root), classes)


def kinds(report: DatasetReport) -> list[tuple[str, str]]:
    return [(problem.kind, problem.path.name) for problem in report.problems]


def save(pixels: np.ndarray, path: Path) -> None:
    Image.fromarray(pixels).save(path)


def test_sound_data_set(tiny_root):
    progress = []
    report = check_dataset(
        splits_from_root(tiny_root), CLASSES, lambda done, total: progress.append((done, total))
    )
    assert report.problems == []
    assert report.notes == []
    assert progress == [(n, 5) for n in range(1, 6)]
    train, val = report.splits
    assert (train.name, train.images, val.name, val.images) == ("train", 3, "val", 2)
    assert (train.sizes, val.sizes) == ({(24, 24): 3}, {(24, 24): 2})
    assert train.pixels.tolist() == [288] * 6 + [0] * 250
    assert val.pixels.tolist() == [192] * 6 + [0] * 250


def test_summary_is_a_table_of_shares(tiny_root):
    mask = np.zeros((24, 24), np.uint8)
    mask[:3] = 255
    mask[3:9] = 2
    for stem in ("d", "e"):
        save(mask, tiny_root / "masks" / "val" / f"{stem}.png")
    rows = [line.split() for line in check(tiny_root).summary().splitlines()]
    assert rows[0] == ["train", "val"]
    assert rows[1] == ["images", "3", "2"]
    assert rows[3] == ["Background", "16.6667", "62.5000"]
    assert rows[5] == ["Incomplete", "16.6667", "25.0000"]
    assert rows[-1] == ["ignore", "(255)", "0.0000", "12.5000"]


def test_all_problems_come_in_one_pass(tiny_root):
    images, masks = tiny_root / "images", tiny_root / "masks"
    good = (np.arange(576) % 6).astype(np.uint8).reshape(24, 24)

    def add(stem: str, mask: np.ndarray | None = None, seed: int = 99) -> Path:
        noise = np.random.default_rng(seed).integers(0, 256, (24, 24), np.uint8)
        save(noise, images / "train" / f"{stem}.png")
        if mask is not None:
            save(mask, masks / "train" / f"{stem}.png")
        return images / "train" / f"{stem}.png"

    add("value", np.full((24, 24), 9, np.uint8), 1000)
    add("size", good[:20], 1001)
    add("colour", np.zeros((24, 24, 3), np.uint8), 1002)
    Image.fromarray(good).convert("P").save(masks / "train" / "size2.png")
    add("size2", None, 1003)
    add("no_mask", None, 1004)
    save(good, masks / "train" / "no_image.png")
    broken = add("broken", good, 1005)
    broken.write_bytes(broken.read_bytes()[:300])
    add("both_broken", good, 1006).write_bytes(b"")
    (masks / "train" / "both_broken.png").write_bytes(b"text")
    (tiny_root / "images" / "test").mkdir()
    (tiny_root / "masks" / "test").mkdir()
    # A copy under another name and in another pixel format is still the same picture.
    Image.open(images / "train" / "a.png").convert("RGB").save(images / "val" / "copy.png")
    save(good, masks / "val" / "copy.png")

    report = check(tiny_root)
    assert sorted(kinds(report)) == sorted(
        [
            ("mask value", "value.png"),
            ("size", "size.png"),
            ("mask mode", "colour.png"),
            ("mask mode", "size2.png"),
            ("image without mask", "no_mask.png"),
            ("mask without image", "no_image.png"),
            ("unreadable", "broken.png"),
            ("unreadable", "both_broken.png"),
            ("unreadable", "both_broken.png"),
            ("empty split", "test"),
            ("same image", "copy.png"),
        ]
    )
    assert all(problem.found and problem.remedy for problem in report.problems)
    both = {p.path for p in report.problems if p.path.name == "both_broken.png"}
    assert both == {path / "train" / "both_broken.png" for path in (images, masks)}


def test_same_image_names_both_sides(tiny_root):
    twin = tiny_root / "images" / "val" / "d.png"
    twin.write_bytes((tiny_root / "images" / "train" / "build2" / "c.png").read_bytes())
    (problem,) = check(tiny_root).problems
    assert problem.path == twin
    assert "(split 'val') is the same picture as" in problem.found
    assert f"{tiny_root / 'images' / 'train' / 'build2' / 'c.png'} (split 'train')" in problem.found


def test_equal_names_of_different_pictures_are_fine(tiny_root):
    for kind in ("images", "masks"):
        (tiny_root / kind / "val" / "d.png").rename(tiny_root / kind / "val" / "a.png")
    assert check(tiny_root).problems == []


def test_twins_on_one_side_are_fine(tiny_root):
    twin = tiny_root / "images" / "train" / "b.png"
    twin.write_bytes((tiny_root / "images" / "train" / "a.png").read_bytes())
    assert check(tiny_root).problems == []


def test_pictures_that_occur_twice_on_one_side_are_a_note(tiny_root):
    images = tiny_root / "images" / "train"
    (images / "b.png").unlink()
    (images / "b.png").symlink_to(images / "a.png")
    report = check(tiny_root)
    assert report.problems == []
    assert report.notes == [
        f"1 pictures occur twice on one side, such as {images / 'b.png'} and {images / 'a.png'}."
    ]


@pytest.mark.parametrize(
    ("top", "bits"), [(255, 8), (900, 10), (1024, 12), (4093, 12), (4095, 12), (4096, 14)]
)
def test_a_camera_that_fills_a_part_of_16_bits_is_a_note(tiny_root, top, bits):
    values = np.random.default_rng(0).integers(1, top, (24, 24)).astype(np.uint16)
    values[0, 0] = top
    save(values, tiny_root / "images" / "val" / "e.png")
    (note,) = check(tiny_root).notes
    assert f"never exceed {top}: a {bits}-bit camera? Then set white_level={2**bits - 1}" in note
    specs = splits_from_root(tiny_root, white_level=2**bits - 1)
    report = check_dataset(specs, CLASSES)
    assert report.notes == report.problems == []
    (problem,) = check_dataset(splits_from_root(tiny_root, white_level=top - 1), CLASSES).problems
    assert problem.kind == "white level"
    assert f"has a value of {top}, above the white level {top - 1}" in str(problem)


def test_a_16_bit_set_that_fills_its_range_needs_no_note(tiny_root):
    values = np.full((24, 24), 16384, np.uint16)
    save(values, tiny_root / "images" / "val" / "e.png")
    assert check(tiny_root).notes == []


def test_an_image_or_mask_that_is_turned_by_a_tag(tiny_root):
    exif = Image.Exif()
    exif[0x0112] = 3
    for kind in ("images", "masks"):
        path = tiny_root / kind / "val" / "e.png"
        Image.open(path).save(path, exif=exif)
    assert kinds(check(tiny_root)) == [("image mode", "e.png"), ("mask mode", "e.png")]
    assert all("is stored turned" in p.found for p in check(tiny_root).problems)


def test_missing_class_is_a_note(tiny_root):
    for stem in ("d", "e"):
        save(np.full((24, 24), 1, np.uint8), tiny_root / "masks" / "val" / f"{stem}.png")
    report = check(tiny_root)
    assert report.problems == []
    assert report.notes == [
        "split 'val' has no pixel of class: Background, Incomplete, Hopping, Streaking, Lattice."
    ]


def test_masks_of_0_and_255_are_a_problem(tiny_root):
    mask = np.zeros((24, 24), np.uint8)
    mask[5:9] = 255
    for stem in ("a", "b", "build2/c"):
        save(mask, tiny_root / "masks" / "train" / f"{stem}.png")
    assert kinds(check(tiny_root)) == [("mask value", "train")]
    report = check(tiny_root, ("powder", "defect"))
    assert ("mask value", "train") in kinds(report)


@pytest.mark.parametrize("gone", ["images/val", "masks/train"])
def test_missing_folder_leaves_the_other_side_checked(tiny_root, gone):
    (tiny_root / gone).rename(tiny_root / "elsewhere")
    report = check(tiny_root)
    assert [(p.kind, p.path) for p in report.problems] == [("missing folder", tiny_root / gone)]
    assert sorted(split.images for split in report.splits) in ([0, 2], [0, 3])


def test_it_needs_neither_torch_nor_openmmlab():
    code = (
        "import sys, lwam_mm.datasets.check, lwam_mm.datasets.splits; "
        "print(sorted({'torch', 'mmengine', 'mmcv', 'mmseg'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == "[]"


def test_real_magnetic_tiles_are_sound(shared_data):
    root = shared_data / "magnetic_tile"
    classes = ("Background", "Blowhole", "Break", "Crack", "Fray", "Uneven")
    report = check_dataset(splits_from_root(root, (".jpg",)), classes)
    assert report.problems == []
    assert report.notes == []
    assert [split.images for split in report.splits] == [1056, 288]
    pixels = report.splits[0].pixels
    shares = (100 * pixels / pixels.sum())[:6]
    # As the data set's own description has them.
    np.testing.assert_allclose(shares, [97.52, 0.009, 0.224, 0.016, 0.553, 1.682], atol=0.006)
