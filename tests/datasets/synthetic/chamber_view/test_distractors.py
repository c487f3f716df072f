import cv2
import numpy as np

from lwam_mm.datasets.synthetic import make_build
from lwam_mm.datasets.synthetic.chamber_view.distractors import spatter, standing_marks
from lwam_mm.datasets.synthetic.noise import generator

SCENE = make_build(0, 0, 256, 1).scene


def test_marks_change_the_powder_and_only_clear_outlines_are_ignored():
    marks = [standing_marks(SCENE, generator(seed)) for seed in range(30)]
    assert np.mean([factor.std() > 0.005 for factor, _ in marks]) > 0.6
    assert all(factor.min() > 0 for factor, _ in marks)
    shares = [unclear.mean() for _, unclear in marks]
    assert min(shares) == 0
    assert 0 < max(shares) < 0.3
    # Outlines are thin; what else stands there is smooth.
    ratios = []
    for factor, unclear in marks:
        if unclear.any():
            rough = np.abs(factor - cv2.GaussianBlur(factor, (0, 0), 4))
            ratios.append(rough[unclear].mean() / rough[~unclear].mean())
    assert np.median(ratios) > 4


def test_spatter_is_bright_small_and_ignored():
    for seed in range(10):
        factor, ignored = spatter(SCENE, generator(seed))
        assert factor.min() >= 1
        assert factor[ignored].min() > 1.15
        assert 0 < ignored.mean() < 0.2
