"""The models that the gate compares, each segmenting the same validation images."""

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

from lwam_mm.datasets.splits import datasets_in
from lwam_mm.deploy.deployable import is_resize
from lwam_mm.models.checkpoint import load_weights
from lwam_mm.models.output_classes import refuse_single_logit
from lwam_mm.models.training_record import TrainingRecord
from lwam_mm.quantization.calibration import evenly_spaced
from lwam_mm.runtime import Predictor
from lwam_mm.utils.errors import UserError


@dataclass(frozen=True, eq=False)
class StageOutput:
    """What a stage of the export makes of one image, at the image's own size.

    Attributes:
        logits: float32 of shape (C, H, W).
        labels: uint8 of shape (H, W), 0..C-1.
    """

    logits: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One validation image.

    Attributes:
        path: The image file.
        truth: Class indices or 255 (ignore), uint8 of shape (H, W).
        item: What the data set passes to a segmentor.
    """

    path: Path
    truth: np.ndarray
    item: dict[str, Any]


Stage = Callable[[LabelledImage], StageOutput]
"""A model at one stage of the export: multi-branch, folded, exported or INT8."""


class ValidationImages(Sequence[LabelledImage]):
    """Evenly spaced labelled images of a config's validation set, read on access.

    Args:
        config: The student's config.
        count: How many at most; None for all.
        whole: Leave the images at their own size instead of resizing them as the config does, for
            a model of any size.

    Raises:
        FileNotFoundError, lwam_mm.datasets.problem.DatasetError: The data cannot be used.
    """

    def __init__(self, config: Config, count: int | None = None, whole: bool = False) -> None:
        init_default_scope(config.get("default_scope", "mmseg"))
        settings = copy.deepcopy(config.val_dataloader.dataset)
        for _, dataset in datasets_in(settings, "") if whole else ():
            if "pipeline" in dataset:
                dataset["pipeline"] = [t for t in dataset["pipeline"] if not is_resize(t)]
        self.dataset = DATASETS.build(settings)
        total = len(self.dataset)
        self.indices = evenly_spaced(total, min(total, count or total))

    def __len__(self) -> int:
        return len(self.indices)

    def all(self) -> ValidationImages:
        """Return all images of the set."""
        everything = copy.copy(self)
        everything.indices = list(range(len(self.dataset)))
        return everything

    def __getitem__(self, index: int) -> LabelledImage:
        item = self.dataset[self.indices[index]]
        sample = item["data_samples"]
        if "gt_sem_seg" not in sample:
            raise UserError(
                f"{sample.img_path}: the validation set gives no mask of this image; set "
                "seg_map_path in val_dataloader.dataset.data_prefix and load masks by "
                "LoadIndexMask in its pipeline"
            )
        truth = sample.gt_sem_seg.data[0].numpy().astype(np.uint8)
        if truth.shape != tuple(sample.ori_shape):
            raise UserError(
                f"{sample.img_path}: is {sample.ori_shape[1]}x{sample.ori_shape[0]}, but its mask "
                f"was resized to {truth.shape[1]}x{truth.shape[0]}; put LoadIndexMask after "
                "Resize in the pipeline of val_dataloader.dataset"
            )
        return LabelledImage(Path(sample.img_path), truth, item)


def load_multi_branch(config: Config, checkpoint: str | Path) -> tuple[nn.Module, TrainingRecord]:
    """Build a segmentor as it was trained, with the checkpoint's weights, in eval mode.

    Returns:
        The segmentor, and what the checkpoint remembers of its training.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        lwam_mm.models.checkpoint.CheckpointMismatchError: It does not fit the config.
        lwam_mm.models.output_classes.OutputClassesError: It has a single logit for two classes.
    """
    init_default_scope(config.get("default_scope", "mmseg"))
    model = MODELS.build(config.model)
    refuse_single_logit(model)
    record = load_weights(model, checkpoint)
    return revert_sync_batchnorm(model).eval(), record


def torch_stage(model: nn.Module) -> Stage:
    """Segment with a segmentor, as MMSegmentation tests it."""

    def segment(image: LabelledImage) -> StageOutput:
        with torch.no_grad():
            (result,) = model.test_step(pseudo_collate([image.item]))
        return StageOutput(
            result.seg_logits.data.float().numpy(),
            result.pred_sem_seg.data[0].numpy().astype(np.uint8),
        )

    return segment


def bundle_stage(predictor: Predictor) -> Stage:
    """Segment with a bundle, starting from the image file, as beside the machine."""

    def segment(image: LabelledImage) -> StageOutput:
        return StageOutput(predictor.logits(image.path), predictor(image.path).labels)

    return segment
