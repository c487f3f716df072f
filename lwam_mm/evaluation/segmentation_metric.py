"""The metric that reports the means and per-class scores of a segmentation."""

from __future__ import annotations

import logging
import os.path
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable

from lwam_mm.evaluation.class_metric import ClassMetric
from lwam_mm.evaluation.scores import SegmentationScores, confusion_matrix, confusion_to_metrics
from lwam_mm.utils.png_files import write_png


@METRICS.register_module()
class SegmentationMetric(ClassMetric):
    """Means and per-class scores of a semantic segmentation, in percent, unrounded.

    The scores are the means under mmseg's names (``aAcc``, ``mIoU``, ``mAcc``, ``mDice``,
    ``mFscore``, ``mPrecision``, ``mRecall``) and ``IoU.<Class>``, ``Dice.<Class>``,
    ``Precision.<Class>``, ``Recall.<Class>`` for each class. Per-class accuracy and F-score are
    Recall and Dice. :class:`~lwam_mm.evaluation.scores.SegmentationScores` defines them all.

    A score that is not defined is left out of the means, and its key is **left out of the returned
    dict**, since JSON has no NaN: all scores of a class neither in the ground truth nor predicted,
    the precision of a class that is never predicted, the recall of a class that is not in the
    ground truth. The log names these classes.

    Counts are int64 throughout; processes exchange one (C, C) matrix for each image.

    Args:
        output_dir: Folder for the predicted masks, single-channel PNGs of class indices under the
            images' names; created if missing. None writes nothing.
        keep_results: Ignored; mmseg's ``test.py --out DIR`` sets it together with ``output_dir``.
        **kwargs: Those of :class:`~lwam_mm.evaluation.class_metric.ClassMetric`.

    Example:
        >>> val_evaluator = dict(type="SegmentationMetric")  # in a config
    """

    def __init__(
        self,
        output_dir: str | Path | None = None,
        keep_results: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_dir = None if output_dir is None else Path(output_dir)
        # Set by PredictionPicturesHook: names then start below this folder.
        self.image_root: Path | None = None
        self._written: dict[Path, str] = {}
        if self.output_dir is not None:
            self.output_dir.mkdir(parents=True, exist_ok=True)

    def count(
        self, truth: np.ndarray, prediction: np.ndarray, truth_name: str, image_name: str
    ) -> np.ndarray:
        """Count an image's pixels, int64 (C, C), and write its mask if there is a folder for it."""
        counts = confusion_matrix(
            truth,
            prediction,
            len(self.classes),
            self.ignore_index,
            label_name=truth_name,
            prediction_name=image_name,
        )
        if self.output_dir is not None:
            # Atomically, as two processes may have the same image, if the sampler repeated some in
            # the last batch.
            write_png(
                self._mask_file(image_name),
                prediction.astype(np.uint8 if prediction.max() < 256 else np.uint16),
            )
        return counts

    def _mask_file(self, image_name: str) -> Path:
        name = Path(image_name).name
        if self.image_root is not None:
            name = os.path.relpath(image_name, self.image_root)
        file = (self.output_dir / name).with_suffix(".png")
        if self._written.setdefault(file, image_name) != image_name:
            raise ValueError(
                f"{image_name}: its predicted mask would overwrite {file}, which is that of "
                f"{self._written[file]}. Give the images different names, or run tools/test.py, "
                "which names masks by sub-folder."
            )
        return file

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Sum the counts of all images, log a table and return the scores (see the class).

        Raises:
            ValueError: No pixel was counted.
        """
        confusion = np.sum(results, axis=0, dtype=np.int64) if results else np.zeros((1, 1), int)
        scores = confusion_to_metrics(confusion)
        print_log(f"scores in percent:\n{_table(scores, self.classes)}", logger="current")
        self._log_undefined(scores)
        per_class = {
            f"{name}.{class_name}": float(values[index])
            for index, class_name in enumerate(self.classes)
            for name, values in (
                ("IoU", scores.iou),
                ("Dice", scores.dice),
                ("Precision", scores.precision),
                ("Recall", scores.recall),
            )
        }
        return {**scores.means, **self.defined(per_class)}

    def _log_undefined(self, scores: SegmentationScores) -> None:
        true, predicted = scores.truth_pixels > 0, scores.predicted_pixels > 0
        for selected, what, level in (
            (
                ~true & ~predicted,
                "in neither ground truth nor predictions, so left out of all means",
                logging.WARNING,
            ),
            (
                ~true & predicted,
                "not in the ground truth but predicted: IoU 0, left out of mRecall and mAcc",
                logging.WARNING,
            ),
            # Not a warning: this is normal in the first epochs.
            (
                true & ~predicted,
                "never predicted: IoU 0, left out of mPrecision",
                logging.INFO,
            ),
        ):
            if selected.any():
                names = ", ".join(np.array(self.classes)[selected])
                print_log(f"class(es) {names} {what}", logger="current", level=level)


def _table(scores: SegmentationScores, classes: Sequence[str]) -> str:
    table = PrettyTable(["Class", "IoU", "Dice", "Precision", "Recall", "Pixels"])
    table.align = "r"
    table.align["Class"] = "l"
    columns = (scores.iou, scores.dice, scores.precision, scores.recall)
    for index, name in enumerate(classes):
        values = [column[index] for column in columns]
        table.add_row([name, *map(_rounded, values), f"{scores.truth_pixels[index]:,}"])
    table.add_divider()
    means = scores.means
    table.add_row(
        [
            f"mean (aAcc {means['aAcc']:.2f})",
            *(_rounded(means[key]) for key in ("mIoU", "mDice", "mPrecision", "mRecall")),
            f"{scores.truth_pixels.sum():,}",
        ]
    )
    return table.get_string()


def _rounded(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"
