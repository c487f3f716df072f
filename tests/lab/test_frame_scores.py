import cv2
import numpy as np
import pytest

from lwam_mm.lab.frame_scores import auroc, score_frames, streak_score
from lwam_mm.runtime.region_of_interest import RegionOfInterest
from lwam_mm.utils.errors import UserError


def segment(image):
    """Two classes and streaking: bright pixels are class 1, dark ones streaking."""
    grey = image[..., 0].astype(np.float32)
    scores = np.stack([np.full_like(grey, 0.5), grey > 200, grey < 50])
    return scores / scores.sum(axis=0)


@pytest.fixture
def frame(tmp_path):
    image = np.full((200, 300), 100, np.uint8)
    image[:20] = 255
    image[100:103, 50:250] = 0
    cv2.imwrite(str(tmp_path / "frame.png"), image)
    return tmp_path / "frame.png"


def test_a_frame_is_scored_inside_the_region_of_interest(frame):
    (whole,) = score_frames(segment, [frame], streaking=2)
    assert whole.path == frame
    assert whole.claimed == pytest.approx((20 * 300 + 3 * 200) / (200 * 300))
    assert whole.streak == pytest.approx(2 / 3, rel=1e-3)
    roi = RegionOfInterest([(0, 30), (299, 30), (299, 90), (0, 90)])
    (inside,) = score_frames(segment, [frame], streaking=2, roi=roi)
    assert (inside.claimed, inside.streak) == (0, 0)


@pytest.mark.parametrize("turn", [False, True])
def test_a_line_scores_higher_than_specks(turn):
    line = np.zeros((200, 300), np.float32)
    line[50:53] = 0.4
    specks = (np.random.default_rng(0).random((200, 300)) < 0.05).astype(np.float32)
    line, specks = (line.T, specks.T) if turn else (line, specks)
    assert streak_score(line) == pytest.approx(0.4)
    assert streak_score(specks) < 0.2


def test_auroc_of_the_best_the_worst_and_of_ties():
    assert auroc([1, 2], [3, 4]) == 1
    assert auroc([3, 4], [1, 2]) == 0
    assert auroc([1, 1], [1, 1]) == 0.5
    with pytest.raises(UserError, match="0 negative and 1 positive"):
        auroc([], [1])
