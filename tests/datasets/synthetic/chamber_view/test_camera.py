from dataclasses import replace

import numpy as np
import pytest

from lwam_mm.datasets.synthetic.chamber_view.camera import expose, look, sample_camera

SIZE = 128


@pytest.fixture
def camera():
    """Sees the whole bed, with a wall of an eighth of the frame on each side."""
    corners = np.array([(1, 1), (7, 1), (7, 7), (1, 7)]) / 8
    return replace(sample_camera((0, 1)), corners=corners, quarter_turns=0)


def test_walls_are_background_and_the_bed_keeps_its_labels(camera):
    mask = np.full((SIZE, SIZE), 4, np.uint8)
    _, seen = look(camera, np.full((SIZE, SIZE), 100, np.float32), mask)
    assert (seen[20:108, 20:108] == 4).all()
    assert not seen[:14].any()
    assert not seen[:, -14:].any()
    assert set(np.unique(seen)) <= {0, 4, 255}


def test_image_and_labels_move_together(camera):
    bed = np.full((SIZE, SIZE), 100, np.float32)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    bed[30:50, 60:100], mask[30:50, 60:100] = 200, 1
    for turns in range(4):
        frame, seen = look(replace(camera, quarter_turns=turns), bed, mask)
        middle = frame[20:108, 20:108]
        assert np.mean((middle > 150) == (seen[20:108, 20:108] == 1)) > 0.99


def test_turning_lays_the_recoating_direction_across(camera):
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[60:64, 10:118] = 4
    bed = np.full((SIZE, SIZE), 100, np.float32)
    extents = []
    for turns in (0, 1):
        rows, columns = np.nonzero(look(replace(camera, quarter_turns=turns), bed, mask)[1] == 4)
        extents.append((np.ptp(rows), np.ptp(columns)))
    assert extents[0][1] > 10 * extents[0][0]
    assert extents[1][0] > 10 * extents[1][1]


def test_exposure_makes_corners_darker_and_stays_within_8_bits(camera):
    camera = replace(camera, vignetting=0.3, gain=1.0, gamma=1.0, noise=0.0, jpeg_quality=100)
    stored = expose(camera, np.full((SIZE, SIZE), 120, np.float32), layer=0)
    assert stored.dtype == np.uint8
    assert stored[0, 0] < 0.75 * stored[64, 64]
    assert expose(replace(camera, gain=9.0), np.full((8, 8), 120, np.float32), 0).max() == 255


def test_jpeg_leaves_artefacts(camera):
    camera = replace(camera, blur=0.0, noise=0.0, vignetting=0.0)
    frame = np.random.default_rng(0).uniform(60, 120, (SIZE, SIZE)).astype(np.float32)
    plain = expose(replace(camera, jpeg_quality=100), frame, 0)
    artefacts = expose(replace(camera, jpeg_quality=50), frame, 0)
    assert 0 < np.abs(np.int16(plain) - artefacts).mean() < 20
