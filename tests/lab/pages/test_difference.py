import numpy as np

from lwam_mm.lab.pages.difference import DIFFERENCE_PALETTE, DIFFERENCES, difference


def test_every_kind():
    truth = np.array([[0, 2, 2, 0, 2, 255, 255]], np.uint8)
    prediction = np.array([[0, 2, 0, 1, 1, 0, 2]], np.uint8)
    kinds = difference(truth, prediction)
    assert kinds.dtype == np.uint8
    names = [DIFFERENCES[kind] for kind in kinds[0, :5]]
    assert names == ["right background", "found", "missed", "false", "wrong class"]
    assert kinds[0, 5:].tolist() == [255, 255]


def test_every_kind_has_a_colour_of_its_own():
    assert len(set(DIFFERENCE_PALETTE)) == len(DIFFERENCES)
