from __future__ import annotations

import cv2
import numpy as np
import pytest
from matplotlib.patches import Patch

from lwam_mm.lab.pages.sheet import write_sheet

GREY, DARK = (np.full((20, 30, 3), value, np.uint8) for value in (100, 50))
HALF = np.where(np.arange(30)[:, None] < 10, [0, 0, 255], [255, 0, 0]).astype(np.uint8)[None]
HALF = HALF.repeat(20, 0)  # BGR: ten columns of red, then blue


def read(path):
    return cv2.imread(str(path)).astype(int)


def test_pictures_stand_below_their_headings(tmp_path):
    path = tmp_path / "new" / "sheet.png"
    write_sheet(path, ["image", "half", "dark"], [[GREY, HALF, DARK]] * 2, tile=60)
    sheet = read(path)
    assert sheet.shape == (26 + 2 * (60 + 4), 3 * (60 + 4), 3)
    for row in (sheet[26:90], sheet[90:154]):
        image, half, dark = (row[:40, x : x + 60] for x in range(0, 192, 64))
        assert (image == 100).all()
        assert (dark == 50).all()
        assert (half[:, :20] == [0, 0, 255]).all()
        assert (half[:, 20:] == [255, 0, 0]).all()
        assert (row[40:, :60] == 255).all()  # 20 x 30 fills two thirds of the square
        assert (row[:, 60:64] == 255).all()
    heads = sheet[:26]
    assert all((heads[:, x : x + 64] < 128).any() for x in range(0, 192, 64))
    assert list(path.parent.iterdir()) == [path]


def test_captions_are_above_their_rows(tmp_path):
    write_sheet(tmp_path / "a.png", ["image"], [[GREY]] * 2, captions=["images/a.png", ""], tile=90)
    sheet = read(tmp_path / "a.png")
    assert sheet.shape[0] == 26 + 2 * (26 + 90 + 4)
    assert (sheet[26:52] < 128).any()
    assert (sheet[52:112, :90] == 100).all()
    assert (sheet[146:172] == 255).all()  # an empty caption
    assert (sheet[172:232, :90] == 100).all()


def test_the_legend_takes_the_lines_that_it_needs(tmp_path):
    heights = []
    for name in ("Super", "a rather long name"):
        legend = [Patch(facecolor="red", label=f"{name} {n}") for n in range(3)]
        write_sheet(tmp_path / "a.png", ["a", "b"], [[GREY, DARK]], legend=legend, tile=140)
        sheet = read(tmp_path / "a.png")
        heights.append(sheet.shape[0] - 26 - 144)
        red = (sheet[:, :, 2] > 200) & (sheet[:, :, 1] < 50)
        assert red.any(axis=1).nonzero()[0].max() < heights[-1]
        assert red.sum() > 3 * 50
    assert heights == [26, 78]


def test_a_large_picture_is_averaged_and_a_small_one_enlarged_pixel_by_pixel(tmp_path):
    fine = np.zeros((600, 600, 3), np.uint8)
    fine[:, ::2] = 200
    write_sheet(tmp_path / "a.png", ["a", "b"], [[fine, HALF]], tile=50)
    sheet = read(tmp_path / "a.png")
    assert np.abs(sheet[28:74, 2:48] - 100).max() < 20
    small = sheet[26:59, 54:104].reshape(-1, 3)
    assert {tuple(pixel) for pixel in small} <= {(0, 0, 255), (255, 0, 0)}


def test_the_same_pictures_make_the_same_file(tmp_path):
    for name in "ab":
        write_sheet(tmp_path / name, ["image"], [[GREY]])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match=r"one or more rows of as many pictures, got rows of \[\]"):
        write_sheet(tmp_path / "a.png", ["a"], [])
    with pytest.raises(ValueError, match=r"sheet with 2 columns .* got rows of \[1, 2\]"):
        write_sheet(tmp_path / "a.png", ["a", "b"], [[GREY], [GREY, DARK]])
    assert not list(tmp_path.iterdir())
