from __future__ import annotations

import cv2
import numpy as np
import pytest

from lwam_mm.lab.pages import contact_sheet
from lwam_mm.lab.pages.contact_sheet import Row, write_contact_sheet

CLASSES = ("Background", "Super", "Lattice")
PALETTE = ((0, 0, 0), (255, 0, 0), (0, 0, 255))


def row(views=2, name="images/a.png") -> Row:
    image = np.full((20, 30, 3), 100, np.uint8)
    mask = np.zeros((20, 30), np.uint8)
    mask[:5] = 1
    view_mask = np.zeros((16, 16), np.uint8)
    view_mask[8:] = 255
    view = np.full((16, 16, 3), 50, np.uint8), view_mask
    return Row(name, image, mask, [view] * views)


def test_pictures_stand_where_the_headings_say(tmp_path):
    path = tmp_path / "new" / "sheet.png"
    write_contact_sheet(path, [row(), row()], CLASSES, PALETTE, tile=120)
    sheet = cv2.imread(str(path)).astype(int)
    column, line = 124, 24
    above = line + 30  # the legend, the headings
    assert sheet.shape == (above + 2 * (line + column), 4 * column, 3)
    pictures = sheet[above + line : above + line + 120]
    cells = [pictures[:80, x : x + 120] for x in range(0, 4 * column, column)]
    assert (cells[0] == 100).all()  # as read
    red = cells[1][:, :, 2] - cells[1][:, :, 1] > 50
    assert red[:20].all()
    assert not red[20:].any()
    for cell in (pictures[:, 2 * column : 2 * column + 120], pictures[:, 3 * column :][:, :120]):
        assert (cell[:60] == 50).all()
        assert 0.1 < (cell[60:] != 50).any(axis=2).mean() < 0.5  # hatched
    assert list(path.parent.iterdir()) == [path]


def test_each_row_says_its_file_and_contents(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(contact_sheet, "_write", lambda line, text, x: written.append(text))
    empty = row(name="images/b.png")
    empty.mask[:] = 0
    write_contact_sheet(tmp_path / "a.png", [row(), empty], CLASSES, PALETTE)
    assert written == [
        "Background (not coloured)",
        "Super",
        "Lattice",
        "no label",
        "images/a.png: Super 25 %",
        "images/b.png: Background alone",
    ]


def test_legend_takes_the_lines_that_it_needs(tmp_path):
    heights = []
    for names in (CLASSES, tuple(f"a rather long name {n}" for n in range(3))):
        write_contact_sheet(tmp_path / "a.png", [row(0)], names, PALETTE, tile=140)
        heights.append(cv2.imread(str(tmp_path / "a.png")).shape[0])
    assert heights[1] > heights[0]


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match=r"got \[\]"):
        write_contact_sheet(tmp_path / "a.png", [], CLASSES, PALETTE)
    with pytest.raises(ValueError, match=r"got \[1, 2\]"):
        write_contact_sheet(tmp_path / "a.png", [row(1), row(2)], CLASSES, PALETTE)
    assert not list(tmp_path.iterdir())
