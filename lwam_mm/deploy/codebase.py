"""MMDeploy's segmentation task, with folding, strict loading and torch's resizing of logits."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from mmdeploy.codebase.mmseg.deploy import segmentation_model
from mmdeploy.codebase.mmseg.deploy.segmentation import MMSEG_TASK, Segmentation
from mmdeploy.codebase.mmseg.deploy.segmentation_model import End2EndModel
from mmdeploy.utils import Task, get_codebase_config
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.structures import PixelData
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from lwam_mm.deploy.deployable import refuse_distillation
from lwam_mm.models.checkpoint import load_weights
from lwam_mm.models.reparam.fold import reparameterize
from lwam_mm.utils.errors import UserError

_BACKEND_MODELS = vars(segmentation_model)["__BACKEND_MODEL"]


class DeployConfigError(UserError, ValueError):
    """A deploy config contradicts itself or does not fit the images."""


@MMSEG_TASK.register_module(Task.SEGMENTATION.value, force=True)
class FoldedSegmentation(Segmentation):
    """MMDeploy's segmentation task, for models with blocks to fold and for any other.

    Unlike the task that it replaces, it refuses a checkpoint that does not fit, and folds every
    block of the model, even if the segmentor has no ``switch_to_deploy``.
    """

    def __init__(self, model_cfg: Config, deploy_cfg: Config, device: str) -> None:
        refuse_distillation(model_cfg)
        model_cfg = copy.deepcopy(model_cfg)
        # Masks are loaded neither for the example input nor for a picture to draw on. MMDeploy
        # itself leaves out LoadAnnotations alone.
        model_cfg.test_pipeline = [
            transform
            for transform in model_cfg.test_pipeline
            if transform["type"] != "LoadIndexMask"
        ]
        super().__init__(model_cfg, deploy_cfg, device)

    def build_pytorch_model(
        self, model_checkpoint: str | None = None, cfg_options: dict | None = None, **kwargs: Any
    ) -> nn.Module:
        """Build the folded model with the checkpoint's weights, in eval mode.

        Raises:
            ValueError: No checkpoint is given; random weights are not worth exporting.
            FileNotFoundError: There is no such checkpoint.
            lwam_mm.models.checkpoint.CheckpointMismatchError: It does not fit the config.
        """
        if model_checkpoint is None:
            raise ValueError("no checkpoint was given, and random weights are not worth exporting")
        model = MODELS.build(self.model_cfg.model)
        load_weights(model, model_checkpoint)
        model = revert_sync_batchnorm(model).to(self.device).eval()
        return reparameterize(model, inplace=True)


class _CheckedEnd2EndModel(End2EndModel):
    """An exported model whose deploy config has to agree with its class about the graph."""

    with_argmax: bool
    counterpart: str

    def __init__(self, *args: Any, deploy_cfg: Config, **kwargs: Any) -> None:
        # MMDeploy puts an argmax into the graph unless it is told not to.
        if get_codebase_config(deploy_cfg).get("with_argmax", True) != self.with_argmax:
            raise DeployConfigError(
                f"{deploy_cfg.filename or 'deploy config'}: codebase_config.with_argmax is "
                f"{not self.with_argmax}; set it to {self.with_argmax}, or "
                f"codebase_config.model_type to {self.counterpart!r}"
            )
        super().__init__(*args, deploy_cfg=deploy_cfg, **kwargs)


@_BACKEND_MODELS.register_module("logits_end2end", force=True)
class LogitsEnd2EndModel(_CheckedEnd2EndModel):
    """An exported model whose graph ends in logits (``with_argmax=False``).

    Logits are resized to the image's own size before the argmax, as in MMSegmentation. The base
    class resizes labels, so its figures differ from torch's.
    """

    with_argmax = False
    counterpart = "labels_end2end"

    def pack_result(
        self, batch_outputs: Tensor, data_samples: Sequence[SegDataSample]
    ) -> list[SegDataSample]:
        """Turn logits (N, C, h, w) into a label map (1, H, W) for each sample, at its own size."""
        for logits, sample in zip(batch_outputs, data_samples, strict=True):
            full_size = resize(
                _without_padding(logits, sample)[None].float(),
                size=sample.ori_shape,
                mode="bilinear",
                align_corners=False,
            )
            sample.pred_sem_seg = PixelData(data=torch.argmax(full_size[0], dim=0, keepdim=True))
        return list(data_samples)


@_BACKEND_MODELS.register_module("labels_end2end", force=True)
class LabelsEnd2EndModel(_CheckedEnd2EndModel):
    """An exported model whose graph ends in labels (``with_argmax=True``).

    It takes images at their own size only. MMSegmentation resizes logits to the size of an image
    before the argmax; labels cannot be resized like that, and a nearest neighbour would score
    another model than the one that was trained.
    """

    with_argmax = True
    counterpart = "logits_end2end"

    def pack_result(
        self, batch_outputs: Tensor, data_samples: Sequence[SegDataSample]
    ) -> list[SegDataSample]:
        """Turn labels (N, 1, h, w) into a label map (1, H, W) for each sample.

        Raises:
            DeployConfigError: An image was resized for the network.
        """
        for labels, sample in zip(batch_outputs, data_samples, strict=True):
            labels = _without_padding(labels, sample)
            if labels.shape[-2:] != tuple(sample.ori_shape):
                height, width = sample.ori_shape
                raise DeployConfigError(
                    f"{sample.metainfo.get('img_path', 'the image')}: is {width}x{height}, but "
                    f"its labels come as {labels.shape[-1]}x{labels.shape[-2]}, and labels cannot "
                    "be resized as logits can; take the Resize out of test_pipeline and export a "
                    "dynamic model, or export logits (codebase_config.with_argmax=False)"
                )
            sample.pred_sem_seg = PixelData(data=labels)
        return list(data_samples)


def _without_padding(scores: Tensor, sample: SegDataSample) -> Tensor:
    top, bottom, left, right = _padding(sample)
    height, width = scores.shape[-2:]
    return scores[:, top : height - bottom, left : width - right]


def _padding(sample: SegDataSample) -> tuple[int, int, int, int]:
    left, right, top, bottom = sample.metainfo.get("img_padding_size") or [0] * 4
    return top, bottom, left, right
