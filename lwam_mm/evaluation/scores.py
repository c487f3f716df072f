"""Segmentation scores from a confusion matrix, in NumPy alone.

The metrics of training and of an exported model count with the same functions, so that their
scores can be compared to the last digit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SegmentationScores:
    """Scores of a segmentation, all in percent (0 to 100), unrounded.

    With ``tp`` the correctly predicted pixels of a class, ``truth`` its pixels in the ground truth
    and ``predicted`` its pixels in the prediction, a score is NaN if its denominator is 0:

    - ``iou``: tp / (truth + predicted - tp); NaN for a class in neither.
    - ``dice``: 2 tp / (truth + predicted); NaN for a class in neither. The F-score with beta = 1
      is the same number.
    - ``precision``: tp / predicted; NaN for a class that was never predicted.
    - ``recall``: tp / truth; NaN for a class that is not in the ground truth. Per-class accuracy
      is the same number.

    Attributes:
        accuracy: Share of the counted pixels that are correct, mmseg's ``aAcc``.
        iou, dice, precision, recall: Per class, float64 (C,).
        truth_pixels, predicted_pixels: Pixels per class, int64 (C,).
    """

    accuracy: float
    iou: np.ndarray
    dice: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    truth_pixels: np.ndarray
    predicted_pixels: np.ndarray

    @property
    def means(self) -> dict[str, float]:
        """Means under mmseg's names, in percent, each over the classes for which it is not NaN.

        They equal those of mmseg's ``IoUMetric`` with one exception: mmseg leaves a class without
        any correct pixel out of ``mFscore`` (0 / 0), which flatters the model. Here it counts as 0,
        as in ``mDice``.
        """
        m_dice = float(np.nanmean(self.dice))
        m_recall = float(np.nanmean(self.recall))
        return {
            "aAcc": self.accuracy,
            "mIoU": float(np.nanmean(self.iou)),
            "mAcc": m_recall,
            "mDice": m_dice,
            "mFscore": m_dice,
            "mPrecision": float(np.nanmean(self.precision)),
            "mRecall": m_recall,
        }


def confusion_matrix(
    label: np.ndarray,
    prediction: np.ndarray,
    num_classes: int,
    ignore_index: int = 255,
    *,
    label_name: str = "label",
    prediction_name: str = "prediction",
) -> np.ndarray:
    """Count the pairs of true and predicted class over the pixels of an image.

    Args:
        label: Ground truth, integers (H, W); ``ignore_index`` marks pixels that are not counted.
        prediction: Predicted classes, integers (H, W), 0 to ``num_classes - 1``.
        num_classes: Number of classes C.
        ignore_index: Label value of pixels that are not counted.
        label_name: What to call the ground truth in an error, usually its file.
        prediction_name: What to call the prediction in an error, usually the image's file.

    Returns:
        int64 array (C, C), row = true class, column = predicted class.

    Raises:
        TypeError: An array does not hold integers.
        ValueError: The shapes differ or a value is not a class.
    """
    for name, array in ((label_name, label), (prediction_name, prediction)):
        if array.dtype.kind not in "iub":
            raise TypeError(
                f"{name}: class numbers must be integers, got {array.dtype}. "
                "Take the argmax of scores or probabilities first."
            )
    check_same_size(label, prediction, label_name, prediction_name)
    counted = label != ignore_index
    _check_range(
        label[counted],
        num_classes,
        label_name,
        f"Correct the mask, add the class to the dataset, or mark the pixels as {ignore_index} "
        "(ignore).",
    )
    # Pixels that are not counted too: a number outside the classes is a wrong model anywhere.
    _check_range(
        prediction,
        num_classes,
        f"prediction for {prediction_name}",
        "The model was built for other classes: make its num_classes equal to the dataset's.",
    )
    pairs = label[counted].astype(np.int64) * num_classes + prediction[counted].astype(np.int64)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def check_same_size(
    label: np.ndarray, prediction: np.ndarray, label_name: str, prediction_name: str
) -> None:
    """Raise a ValueError if ground truth and prediction differ in shape."""
    if label.shape != prediction.shape:
        raise ValueError(
            f"{label_name} has shape {label.shape}, but the prediction for {prediction_name} has "
            f"{prediction.shape}. Predict at the ground truth's size."
        )


def confusion_to_metrics(confusion: np.ndarray) -> SegmentationScores:
    """Turn a confusion matrix into scores.

    Args:
        confusion: Integers (C, C), row = true class, column = predicted class; the sum of
            :func:`confusion_matrix` over images.

    Raises:
        ValueError: The matrix is not square, not of integers, or counts no pixel.

    Example:
        >>> scores = confusion_to_metrics(np.array([[6, 2], [0, 2]]))
        >>> scores.iou.tolist(), scores.means["mIoU"]
        ([75.0, 50.0], 62.5)
    """
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"A confusion matrix has shape (C, C), got {confusion.shape}.")
    if confusion.dtype.kind not in "iu":
        raise ValueError(f"A confusion matrix holds integer counts, got {confusion.dtype}.")
    # NumPy sums narrower integers in 32 bits on some platforms.
    confusion = confusion.astype(np.int64)
    total = confusion.sum()
    if total == 0:
        raise ValueError(
            "No pixel was counted, so there is nothing to score: every ground-truth pixel is "
            "marked as ignore, or there was no image."
        )
    true_positive = np.diagonal(confusion)
    truth = confusion.sum(axis=1)
    predicted = confusion.sum(axis=0)
    return SegmentationScores(
        accuracy=float(100.0 * true_positive.sum() / total),
        iou=_percent(true_positive, truth + predicted - true_positive),
        dice=_percent(2 * true_positive, truth + predicted),
        precision=_percent(true_positive, predicted),
        recall=_percent(true_positive, truth),
        truth_pixels=truth,
        predicted_pixels=predicted,
    )


def _percent(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    undefined = np.full(numerator.shape, np.nan)
    return np.divide(100.0 * numerator, denominator, out=undefined, where=denominator > 0)


def _check_range(values: np.ndarray, num_classes: int, name: str, remedy: str) -> None:
    if values.size == 0 or (values.min() >= 0 and values.max() < num_classes):
        return
    outside = np.unique(values[(values < 0) | (values >= num_classes)]).tolist()
    shown = ", ".join(map(str, outside[:10])) + (", ..." if len(outside) > 10 else "")
    raise ValueError(
        f"{name}: value(s) {shown} are not among the {num_classes} classes "
        f"(0 to {num_classes - 1}). {remedy}"
    )
