from __future__ import annotations

import cv2
import numpy as np
import pytest

from lwam_mm.lab.pages.picture_sheet import write_sheet
from lwam_mm.lab.pages.pictures import Sample

PALETTE = [(0, 0, 0), (255, 0, 0)]


def sample(shape=(20, 30), **predictions) -> Sample:
    truth = np.zeros(shape, np.uint8)
    truth[:5] = 1
    masks = {name: np.full(shape, value, np.uint8) for name, value in predictions.items()}
    return Sample("layer", np.full(shape, 100, np.uint8), truth, masks)


def test_pictures_stand_where_the_headings_say(tmp_path):
    path = tmp_path / "new" / "sheet.png"
    write_sheet(path, [sample(empty=0, full=1)] * 2, PALETTE, tile=60)
    sheet = cv2.imread(str(path))
    assert sheet.shape == (26 + 4 + 2 * (60 + 4), 4 * (60 + 4), 3)
    row = sheet[30:94]
    columns = [row[:40, x : x + 60].reshape(-1, 3).astype(int) for x in range(0, 256, 64)]
    red = [np.mean(pixels[:, 2] - pixels[:, 1] > 30) for pixels in columns]
    assert red[0] == red[2] == 0  # the image, and the model that finds nothing
    assert red[1] == pytest.approx(0.25, abs=0.05)  # the truth
    assert red[3] == 1  # the model that finds it everywhere
    assert (row[41:60, :60] == 255).all()  # 20 x 30 fills two thirds of the square
    assert list(path.parent.iterdir()) == [path]


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="at least one sample"):
        write_sheet(tmp_path / "a.png", [], PALETTE)
    with pytest.raises(ValueError, match="different models"):
        write_sheet(tmp_path / "a.png", [sample(a=0), sample(b=0)], PALETTE)
    assert not list(tmp_path.iterdir())
