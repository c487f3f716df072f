import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lwam_mm.evaluation.scores import confusion_matrix, confusion_to_metrics


def test_counts_by_hand():
    label = np.array([[0, 0, 1], [1, 255, 2]], np.uint8)
    prediction = np.array([[0, 1, 1], [1, 2, 0]], np.int64)

    confusion = confusion_matrix(label, prediction, 3)

    assert confusion.dtype == np.int64
    assert confusion.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_narrow_integers_do_not_overflow():
    label = np.full((2, 2), 19, np.uint8)
    confusion = confusion_matrix(label, np.full((2, 2), 18, np.uint8), 20)
    assert confusion[19, 18] == confusion.sum() == 4


def test_scores_by_hand():
    scores = confusion_to_metrics(np.array([[6, 2], [0, 2]]))

    assert scores.accuracy == 80.0
    assert scores.iou.tolist() == [75.0, 50.0]
    assert scores.dice == pytest.approx([100 * 12 / 14, 100 * 4 / 6])
    assert scores.precision.tolist() == [100.0, 50.0]
    assert scores.recall.tolist() == [75.0, 100.0]
    assert scores.truth_pixels.tolist() == [8, 2]
    assert scores.predicted_pixels.tolist() == [6, 4]
    assert scores.means["mIoU"] == 62.5
    assert scores.means["mPrecision"] == 75.0
    assert scores.means["mRecall"] == scores.means["mAcc"] == 87.5
    assert scores.means["mFscore"] == scores.means["mDice"]


def test_counts_above_two_to_the_24_are_exact():
    """Float32 counts, as torch.histc keeps them, stop there."""
    huge = 2**24 + 1
    scores = confusion_to_metrics(np.array([[huge, 1], [0, 2**40]]))

    assert scores.truth_pixels.tolist() == [huge + 1, 2**40]
    assert scores.recall[0] == 100.0 * huge / (huge + 1)
    assert scores.recall[0] < 100.0


def test_undefined_scores_are_nan_and_left_out_of_means():
    confusion = np.array(
        [
            [8, 2, 0, 0],  # found in part; its lost pixels went to class 1
            [0, 0, 0, 0],  # not in the truth, but predicted
            [4, 0, 0, 0],  # in the truth, never predicted
            [0, 0, 0, 0],  # in neither
        ]
    )
    scores = confusion_to_metrics(confusion)

    assert np.isnan(scores.iou).tolist() == [False, False, False, True]
    assert np.isnan(scores.dice).tolist() == [False, False, False, True]
    assert np.isnan(scores.precision).tolist() == [False, False, True, True]
    assert np.isnan(scores.recall).tolist() == [False, True, False, True]
    assert scores.iou[1] == scores.iou[2] == 0.0
    assert scores.means["mIoU"] == pytest.approx(100 * (8 / 14) / 3)
    assert scores.means["mPrecision"] == pytest.approx(100 * (8 / 12) / 2)
    assert scores.means["mRecall"] == pytest.approx(100 * (8 / 10) / 2)


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 2, 3, 255])),
    hnp.arrays(np.uint8, (6, 7), elements=st.integers(0, 3)),
)
def test_scores_agree_with_counting_pixel_by_pixel(label, prediction):
    counted = label != 255
    if not counted.any():
        return
    scores = confusion_to_metrics(confusion_matrix(label, prediction, 4))

    assert scores.accuracy == pytest.approx(100 * (label == prediction)[counted].mean())
    for index in range(4):
        truth, found = (label == index) & counted, (prediction == index) & counted
        union = (truth | found).sum()
        if union == 0:
            assert np.isnan(scores.iou[index])
        else:
            assert scores.iou[index] == pytest.approx(100 * (truth & found).sum() / union)
        assert scores.truth_pixels[index] == truth.sum()
        assert scores.predicted_pixels[index] == found.sum()


def test_label_outside_the_classes_is_an_error():
    label = np.array([[0, 7, 254]], np.uint8)
    with pytest.raises(ValueError, match=r"a/mask\.png.*7, 254.*6 classes.*255 \(ignore\)"):
        confusion_matrix(label, np.zeros((1, 3), int), 6, label_name="a/mask.png")


@pytest.mark.parametrize("value", [6, -1])
def test_prediction_outside_the_classes_is_an_error_even_where_not_counted(value):
    label = np.array([[0, 255]])
    with pytest.raises(ValueError, match=rf"layer\.png.*{value}.*num_classes"):
        confusion_matrix(label, np.array([[0, value]]), 6, prediction_name="layer.png")


def test_other_ignore_index():
    confusion = confusion_matrix(np.array([[0, 1]]), np.array([[1, 1]]), 2, ignore_index=0)
    assert confusion.tolist() == [[0, 0], [0, 1]]


def test_sizes_that_differ_are_an_error():
    with pytest.raises(ValueError, match=r"m\.png.*\(2, 3\).*i\.png.*\(3, 2\)"):
        confusion_matrix(
            np.zeros((2, 3), int),
            np.zeros((3, 2), int),
            2,
            label_name="m.png",
            prediction_name="i.png",
        )


def test_probabilities_instead_of_classes_are_an_error():
    with pytest.raises(TypeError, match="argmax"):
        confusion_matrix(np.zeros((2, 2), int), np.full((2, 2), 0.4), 2)


@pytest.mark.parametrize(
    ("confusion", "message"),
    [
        (np.ones((2, 3), int), "A confusion matrix has shape"),
        (np.ones((2, 2)), "integer"),
        (np.zeros((2, 2), int), "No pixel was counted"),
    ],
)
def test_what_is_no_confusion_matrix_is_an_error(confusion, message):
    with pytest.raises(ValueError, match=message):
        confusion_to_metrics(confusion)


def test_numpy_is_all_it_needs():
    code = (
        "import sys, lwam_mm.evaluation.scores\n"
        "print([m for m in ('torch', 'mmengine', 'mmcv', 'mmseg', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
