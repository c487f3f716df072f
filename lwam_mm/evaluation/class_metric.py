"""The base of the metrics of a segmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub


@dataclass(frozen=True)
class LabelledPair:
    """Ground truth and prediction of an image.

    Attributes:
        truth: Class indices, integers (H, W).
        prediction: Class indices, integers (H, W).
        image_name: The image's file, or words to call it by.
        truth_name: The mask's file, or words to call it by.
    """

    truth: np.ndarray
    prediction: np.ndarray
    image_name: str
    truth_name: str


class ClassMetric(BaseMetric):
    """Base of the metrics of label maps; their keys have no prefix unless one is given.

    Args:
        collect_device: How processes exchange their counts: ``"gpu"`` like gradients, on CPUs
            too; ``"cpu"`` by files in a folder that all of them share.
        **kwargs: Those of mmengine's ``BaseMetric``: ``prefix``, put before each key with a slash,
            and ``collect_dir``, the shared folder.
    """

    default_prefix = ""  # with None, BaseMetric warns that there is no prefix

    def __init__(self, collect_device: str = "gpu", **kwargs: Any) -> None:
        super().__init__(collect_device=collect_device, **kwargs)

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

    def forget(self, keys: Sequence[str]) -> None:
        """Drop the history of scores that are not defined this time.

        mmengine logs the newest value of every key that it has ever seen, so it would log the
        score of an earlier evaluation again. MMRazor's validation loop adds the teacher's scores
        as ``teacher.<key>``; their history is dropped too, and defined ones are added again.
        """
        history = MessageHub.get_current_instance().log_scalars
        ends = tuple(f"{before}{key}" for key in keys for before in "/.")
        for name in [name for name in history if name.startswith(("val/", "test/"))]:
            if name.endswith(ends):
                del history[name]


def labelled_pairs(data_samples: Sequence[dict]) -> Iterator[LabelledPair]:
    """Yield ground truth and prediction of each image in a batch.

    Args:
        data_samples: For each image a dict with ``pred_sem_seg`` and ``gt_sem_seg``, whose
            ``data`` is an integer tensor (1, H, W), and with ``img_path`` and ``seg_map_path`` if
            known.

    Raises:
        ValueError: A sample has no ground truth; the message names the file.
    """
    for sample in data_samples:
        image_name = str(sample.get("img_path") or "an image without img_path")
        if "gt_sem_seg" not in sample:
            raise ValueError(
                f"{image_name} has no ground truth to evaluate against. Put LoadAnnotations "
                "into the dataset's pipeline, before PackSegInputs."
            )
        yield LabelledPair(
            truth=_to_array(sample["gt_sem_seg"]["data"]),
            prediction=_to_array(sample["pred_sem_seg"]["data"]),
            image_name=image_name,
            truth_name=str(sample.get("seg_map_path") or f"ground truth of {image_name}"),
        )


def _to_array(data: Any) -> np.ndarray:
    """Return a tensor or array (1, H, W) or (H, W) as an array (H, W)."""
    array = data.detach().cpu().numpy() if hasattr(data, "detach") else np.asarray(data)
    return array[0] if array.ndim == 3 and array.shape[0] == 1 else array
