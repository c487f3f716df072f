"""The stages of a model on its way to the machine, each segmenting the same images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from torch import nn

from lwam_mm.models.checkpoint import load_weights
from lwam_mm.runtime import Predictor


@dataclass(frozen=True, eq=False)
class Seen:
    """What a stage makes of one image of (H, W), at the image's own size.

    Attributes:
        logits: float32 (C, H, W).
        labels: uint8 (H, W), 0..C-1.
    """

    logits: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled image.

    Attributes:
        path: the image file.
        truth: class indices or 255, uint8 (H, W).
        item: what the data set gives to a segmentor.
    """

    path: Path
    truth: np.ndarray
    item: dict[str, Any]


Stage = Callable[[Sample], Seen]


class Samples(Sequence[Sample]):
    """Evenly spaced labelled images of a config's validation set, read when they are asked for.

    Args:
        config: the student's config.
        count: how many at most; None for all.
        whole: leave the images at their own size instead of resizing them as the config does, for
            a model of any size.

    Raises:
        FileNotFoundError, lwam_mm.datasets.problem.DatasetError: the data cannot be used.
    """

    def __init__(self, config: Config, count: int | None = None, whole: bool = False) -> None:
        init_default_scope(config.get("default_scope", "mmseg"))
        self.dataset = DATASETS.build(_settings(config.val_dataloader.dataset, whole))
        total = len(self.dataset)
        chosen = min(total, count or total)
        # From the middle of each of as many stretches, so that every build is among them.
        self.indices = [int((i + 0.5) * total / chosen) for i in range(chosen)]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        item = self.dataset[self.indices[index]]
        sample = item["data_samples"]
        truth = sample.gt_sem_seg.data[0].numpy().astype(np.uint8)
        return Sample(Path(sample.img_path), truth, item)


def load_multi_branch(config: Config, checkpoint: str | Path) -> nn.Module:
    """Build the student as it was trained, with the checkpoint's weights, in eval mode.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        lwam_mm.models.checkpoint.CheckpointMismatchError: it does not fit the config.
    """
    init_default_scope(config.get("default_scope", "mmseg"))
    model = MODELS.build(config.model)
    load_weights(model, checkpoint)
    return revert_sync_batchnorm(model).eval()


def torch_stage(model: nn.Module) -> Stage:
    """Segment with a segmentor, as MMSegmentation tests it."""

    def see(sample: Sample) -> Seen:
        with torch.no_grad():
            (result,) = model.test_step(pseudo_collate([sample.item]))
        return Seen(
            result.seg_logits.data.float().numpy(),
            result.pred_sem_seg.data[0].numpy().astype(np.uint8),
        )

    return see


def bundle_stage(predictor: Predictor) -> Stage:
    """Segment with a bundle, from the image file on, as beside the machine."""

    def see(sample: Sample) -> Seen:
        return Seen(predictor.logits(sample.path), predictor(sample.path).labels)

    return see


def _settings(dataset: dict[str, Any], whole: bool) -> dict[str, Any]:
    settings = copy.deepcopy(dataset)
    if whole:
        settings["pipeline"] = [t for t in settings["pipeline"] if t["type"] != "Resize"]
    return settings
