"""The base of the metrics of a segmentation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub


class ClassMetric(BaseMetric):
    """Base of the metrics of label maps; their keys have no prefix unless one is given.

    Args:
        ignore_index: Ground-truth value of pixels that are not counted.
        collect_device: How processes exchange their counts: ``"gpu"`` like gradients, on CPUs
            too; ``"cpu"`` by files in a folder that all of them share.
        **kwargs: Those of mmengine's ``BaseMetric``: ``prefix``, put before each key with a slash,
            and ``collect_dir``, the shared folder.
    """

    default_prefix = ""  # with None, BaseMetric warns that there is no prefix

    def __init__(self, ignore_index: int = 255, collect_device: str = "gpu", **kwargs: Any) -> None:
        super().__init__(collect_device=collect_device, **kwargs)
        self.ignore_index = ignore_index

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the evaluated data set."""
        classes = (self.dataset_meta or {}).get("classes")
        if not classes:
            raise ValueError(
                f"{type(self).__name__} needs the class names: the evaluated dataset's METAINFO "
                "(or metainfo=dict(classes=...) in its config) must hold 'classes'."
            )
        return tuple(classes)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count one batch.

        Args:
            data_batch: Ignored.
            data_samples: For each image a dict with ``pred_sem_seg`` and ``gt_sem_seg``, whose
                ``data`` is an integer tensor (1, H, W), and with ``img_path`` and ``seg_map_path``
                if known.

        Raises:
            ValueError: A value is not a class, sizes differ or a sample has no ground truth; the
                message names the file.
        """
        for sample in data_samples:
            image_name = str(sample.get("img_path") or "an image without img_path")
            if "gt_sem_seg" not in sample:
                raise ValueError(
                    f"{image_name} has no ground truth to evaluate against. Put LoadAnnotations "
                    "into the dataset's pipeline, before PackSegInputs."
                )
            truth_name = str(sample.get("seg_map_path") or f"ground truth of {image_name}")
            truth, prediction = (
                sample[key]["data"][0].cpu().numpy() for key in ("gt_sem_seg", "pred_sem_seg")
            )
            self.results.append(self.count(truth, prediction, truth_name, image_name))

    @abstractmethod
    def count(
        self, truth: np.ndarray, prediction: np.ndarray, truth_name: str, image_name: str
    ) -> np.ndarray:
        """Count an image, both class indices (H, W); the names, usually files, are for errors."""

    def defined(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Leave out the scores that are NaN, and drop their history from the log.

        mmengine logs the newest value of every key that it has ever seen, so it would log the
        score of an earlier evaluation again. MMRazor's validation loop adds the teacher's scores
        as ``teacher.<key>``; their history is dropped too, and defined ones are added again.
        """
        history = MessageHub.get_current_instance().log_scalars
        ends = tuple(
            f"{at}{key}" for key, score in scores.items() if np.isnan(score) for at in "/."
        )
        for name in list(history):
            if name.startswith(("val/", "test/")) and name.endswith(ends):
                del history[name]
        return {key: score for key, score in scores.items() if not np.isnan(score)}
