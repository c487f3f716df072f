"""The errors of segmentors on a data set: counts over all images, and the worst images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import nn

from lwam_mm.datasets.decode import load_image
from lwam_mm.evaluation.scores import confusion_matrix, confusion_to_metrics
from lwam_mm.lab.inspection.precision_recall import PrecisionRecall
from lwam_mm.lab.pages.pictures import Sample
from lwam_mm.utils.errors import UserError


@dataclass(frozen=True)
class WorstImage:
    """An image that is segmented badly."""

    score: float  # mean IoU in percent over the classes in its truth or in its prediction
    iou: np.ndarray  # in percent by class, float64 of shape (C,); NaN for a class in neither
    sample: Sample  # image, truth and the predictions by the segmentor's name


@dataclass
class Findings:
    """The errors on a data set."""

    images: int  # their number
    # Labelled pixels by the segmentor's name, int64 of shape (C, C), row = truth.
    confusion: dict[str, np.ndarray]
    precision_recall: dict[str, PrecisionRecall]  # the same pixels by probability
    unlabelled: int = 0  # number of images without a labelled pixel, which have no score
    worst: list[WorstImage] = field(default_factory=list)  # worst first


def find_errors(
    segmentors: Mapping[str, nn.Module],
    judged: str,
    dataset: Sequence[dict[str, Any]],
    classes: Sequence[str],
    worst: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Findings:
    """Segment a data set with every segmentor, one image at a time.

    Only counts and the worst images so far are kept, so memory does not grow with the data set.

    The ``segmentors`` of mmseg, in eval mode, have the names to show; the ``worst`` images of the
    one called ``judged`` are kept, 0 or more. The ``dataset`` is one of mmseg's for a test, with
    truth. ``progress`` is called with the number of finished images and of all.

    Raises:
        UserError: If there are no images, an image has no truth, or a segmentor does not have one
            output for each class.
    """
    if len(dataset) == 0:
        raise UserError("the data set has no images: there is nothing to inspect")
    findings = Findings(
        images=len(dataset),
        confusion={name: np.zeros((len(classes),) * 2, np.int64) for name in segmentors},
        precision_recall={name: PrecisionRecall(len(classes)) for name in segmentors},
    )
    for index in range(len(dataset)):
        item = dataset[index]
        path = Path(item["data_samples"].img_path)
        if "gt_sem_seg" not in item["data_samples"]:
            raise UserError(
                f"{path}: has no truth to compare with; name the folder of masks (seg_map_path) in "
                "the config's test_dataloader and load them in its pipeline"
            )
        truth = item["data_samples"].gt_sem_seg.data[0].numpy().astype(np.uint8)
        labels, confusions = {}, {}
        for name, segmentor in segmentors.items():
            labels[name], probabilities = _segment(segmentor, item, name, classes)
            confusions[name] = confusion_matrix(
                truth, labels[name], len(classes), prediction_name=str(path)
            )
            findings.confusion[name] += confusions[name]
            findings.precision_recall[name].add(probabilities, truth)
        progress(index + 1, len(dataset))

        if not confusions[judged].any():
            findings.unlabelled += 1
            continue
        scores = confusion_to_metrics(confusions[judged])
        score = scores.means["mIoU"]
        if worst and (len(findings.worst) < worst or score < findings.worst[-1].score):
            image = load_image(path, getattr(dataset, "white_level", None))
            sample = Sample(path.name, image, truth, labels)
            findings.worst.append(WorstImage(score, scores.iou, sample))
            findings.worst.sort(key=lambda image: image.score)
            del findings.worst[worst:]
    return findings


def _segment(
    segmentor: nn.Module, item: dict[str, Any], name: str, classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels uint8 (H, W) and probabilities float32 (C, H, W), at the image's own size."""
    # A copy: a segmentor writes its padding and its prediction into the sample.
    batch = pseudo_collate([dict(inputs=item["inputs"], data_samples=item["data_samples"].clone())])
    with torch.no_grad():
        (result,) = segmentor.test_step(batch)
        logits = result.seg_logits.data.float()
        if len(logits) != len(classes):
            raise UserError(
                f"the {name} has {len(logits)} classes, the data set has {len(classes)} "
                f"({', '.join(classes)}); use a config and a checkpoint for these classes"
            )
        probabilities = torch.softmax(logits, dim=0)
    labels = result.pred_sem_seg.data[0]
    return labels.cpu().numpy().astype(np.uint8), probabilities.cpu().numpy()
