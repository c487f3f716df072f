from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

from lwam_mm.lab.inspection.precision_recall import STEPS, PrecisionRecall


def two_classes(second: list, label: list) -> PrecisionRecall:
    second = np.array([second], np.float64)
    counted = PrecisionRecall(2)
    counted.add(np.stack([1 - second, second]), np.array([label], np.uint8))
    return counted


def test_by_hand():
    counted = two_classes([0.9, 0.8, 0.7, 0.1, 1.0], [1, 0, 1, 0, 255])
    curve = counted.curve(1)
    at = lambda threshold: round(threshold * STEPS)  # noqa: E731
    assert curve.thresholds[at(0.7)] == 0.7
    for threshold, precision, recall in ((0.0, 1 / 2, 1), (0.5, 2 / 3, 1), (0.85, 1, 1 / 2)):
        assert curve.precision[at(threshold)] == pytest.approx(precision)
        assert curve.recall[at(threshold)] == recall
    assert np.isnan(curve.precision[at(0.95)])  # the pixel of 1.0 has no label
    assert curve.recall[at(0.95)] == 0
    assert curve.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert curve.f_score[curve.best] == pytest.approx(2 * (2 / 3) / (2 / 3 + 1))
    assert curve.thresholds[curve.best] == 0.101  # the lowest that leaves the 0.1 out
    assert counted.share(1) == 0.5


def test_agrees_with_scikit_learn_image_by_image():
    random = np.random.default_rng(0)
    counted = PrecisionRecall(3)
    labels = random.choice([0, 1, 2, 255], (4, 16, 16), p=[0.7, 0.1, 0.1, 0.1]).astype(np.uint8)
    logits = random.normal(size=(4, 3, 16, 16)) + 2 * (
        labels[:, None] == np.arange(3)[:, None, None]
    )
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for image, label in zip(scores, labels, strict=True):
        counted.add(image, label)
    known = labels != 255
    for index in range(3):
        # With scores brought to the thresholds there is no difference but of rounding.
        coarse = np.floor(scores[:, index][known] * STEPS) / STEPS
        truth = labels[known] == index
        curve = counted.curve(index)
        assert curve.average_precision == pytest.approx(average_precision_score(truth, coarse))
        precision, recall, thresholds = precision_recall_curve(truth, coarse)
        places = np.round(thresholds * STEPS).astype(int)
        np.testing.assert_allclose(curve.precision[places], precision[:-1])
        np.testing.assert_allclose(curve.recall[places], recall[:-1])


def test_certain_pixels_are_counted():
    curve = two_classes([1.0, 0.0], [1, 0]).curve(1)
    assert (curve.precision[-1], curve.recall[-1]) == (1, 1)
    assert curve.average_precision == 1


def test_class_without_pixels_has_no_curve():
    counted = two_classes([0.9, 0.8], [0, 255])
    assert counted.curve(1) is None
    assert counted.share(1) == 0
    assert PrecisionRecall(2).curve(0) is None


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.zeros((3, 2, 2)), r"shape \(3, 2, 2\) do not fit 2 classes"),
        (np.full((2, 2, 2), np.nan), "class 0 has probabilities outside"),
        (np.full((2, 2, 2), 1.5), "class 0 has probabilities outside"),
        (np.full((2, 2, 2), -0.1), "class 0 has probabilities outside"),
    ],
)
def test_refusals(probabilities, message):
    with pytest.raises(ValueError, match=message):
        PrecisionRecall(2).add(probabilities, np.zeros((2, 2), np.uint8))
