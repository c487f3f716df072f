import base64

import cv2
import numpy as np
import pytest

from lwam_mm.lab.pages.pictures import (
    DIFFERENCE_PALETTE,
    DIFFERENCES,
    LONGEST_SIDE,
    as_data_uri,
    difference,
    draw_mask,
)

PALETTE = [(0, 0, 0), (255, 0, 0), (0, 255, 0)]


def decode(uri):
    kind, data = uri.split(",", 1)
    assert kind == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3)])
def test_classes_are_coloured_and_background_is_left(shape):
    image = np.full(shape, 100, np.uint8)
    mask = np.array([[0, 0, 1, 2]] * 4, np.int64)

    picture = draw_mask(image, mask, PALETTE)

    assert picture.shape == (4, 4, 3)
    assert picture.dtype == np.uint8
    assert picture[0, 0].tolist() == [100, 100, 100]
    blue, green, red = picture[0, 2].tolist()
    assert red > 150 > 60 > blue == green  # the palette is RGB, the picture BGR
    assert picture[0, 3].argmax() == 1
    assert (image == 100).all()


def test_pixels_without_a_label_are_hatched():
    image = np.full((64, 64), 60, np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 255

    picture = draw_mask(image, mask, PALETTE)

    assert (picture[:, :32] == 60).all()
    hatched = (picture[:, 32:] != 60).any(axis=2)
    assert 0.1 < hatched.mean() < 0.5


def test_pictures_are_made_smaller_but_keep_thin_lines():
    picture = np.zeros((300, 4 * LONGEST_SIDE, 3), np.uint8)
    picture[:, 1001] = 255

    small = decode(as_data_uri(picture))

    assert small.shape == (75, LONGEST_SIDE, 3)
    assert small[:, 250].mean() > 30


def test_small_pictures_keep_their_size_and_colours():
    picture = np.full((40, 30, 3), (200, 60, 20), np.uint8)
    read = decode(as_data_uri(picture))
    assert read.shape == picture.shape
    assert np.abs(read.astype(int) - picture).max() < 6


def test_every_kind():
    truth = np.array([[0, 2, 2, 0, 2, 255, 255]], np.uint8)
    prediction = np.array([[0, 2, 0, 1, 1, 0, 2]], np.uint8)
    kinds = difference(truth, prediction)
    assert kinds.dtype == np.uint8
    names = [DIFFERENCES[kind] for kind in kinds[0, :5]]
    assert names == ["correct background", "found", "missed", "false", "wrong class"]
    assert kinds[0, 5:].tolist() == [255, 255]


def test_every_kind_has_a_colour_of_its_own():
    assert len(set(DIFFERENCE_PALETTE)) == len(DIFFERENCES)
