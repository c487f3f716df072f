"""What the metrics of a segmentation share: class names, label maps, scores to forget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub


@dataclass(frozen=True)
class LabelledPair:
    """One image's labels and what was predicted for it.

    Attributes:
        truth: integers of shape (H, W).
        prediction: integers of shape (H, W).
        image_name: the image's file, or words that stand for it.
        truth_name: the mask's file, or words that stand for it.
    """

    truth: np.ndarray
    prediction: np.ndarray
    image_name: str
    truth_name: str


class ClassMetric(BaseMetric):
    """A metric of label maps, whose keys go without a prefix unless one is asked for.

    Args:
        collect_device: How ranks exchange their counts: ``"gpu"``, as they exchange gradients, on
            processors too; ``"cpu"``, in files of a folder that all of them share.
        prefix: Put before each key with a slash between; none by default.
        collect_dir: That folder.
    """

    # Not None: BaseMetric would then warn that no prefix is set, which is what is meant here.
    default_prefix = ""

    def __init__(
        self,
        collect_device: str = "gpu",
        prefix: str | None = None,
        collect_dir: str | Path | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the evaluated dataset."""
        classes = (self.dataset_meta or {}).get("classes")
        if not classes:
            raise ValueError(
                f"{type(self).__name__} needs the class names: the evaluated dataset's METAINFO "
                "(or metainfo=dict(classes=...) in its config) must hold 'classes'."
            )
        return tuple(classes)

    def forget(self, keys: Sequence[str]) -> None:
        """Drop the history of keys that this evaluation leaves out.

        mmengine logs the newest value of every key that it has ever seen, so an older
        evaluation's score would be logged as this one's. MMRazor's validation loop adds the
        teacher's scores as ``teacher.<key>``: those go too, and what is defined comes back.
        """
        history = MessageHub.get_current_instance().log_scalars
        ends = tuple(f"{before}{key}" for key in keys for before in "/.")
        for name in [name for name in history if name.startswith(("val/", "test/"))]:
            if name.endswith(ends):
                del history[name]


def labelled_pairs(data_samples: Sequence[dict]) -> Iterator[LabelledPair]:
    """Give the label maps of a batch.

    Args:
        data_samples: For each image a dict with ``pred_sem_seg`` and ``gt_sem_seg``, whose
            ``data`` is an integer tensor of shape (1, H, W), and with ``img_path`` and
            ``seg_map_path`` where known.

    Raises:
        ValueError: If a sample has no ground truth; the message names the file.
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
    """Return a (1, H, W) or (H, W) tensor or array as an array of shape (H, W)."""
    array = data.detach().cpu().numpy() if hasattr(data, "detach") else np.asarray(data)
    return array[0] if array.ndim == 3 and array.shape[0] == 1 else array
