"""MMDeploy's segmentation task, taught to fold, to be strict and to resize as torch does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdeploy.codebase.mmseg.deploy import segmentation_model
from mmdeploy.codebase.mmseg.deploy.segmentation import MMSEG_TASK, Segmentation
from mmdeploy.codebase.mmseg.deploy.segmentation_model import End2EndModel
from mmdeploy.utils import Task
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.structures import PixelData
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from lwam_mm.models.checkpoint import CheckpointMismatchError, load_weights
from lwam_mm.models.rep_conv import reparameterize

# MMDeploy takes transforms of this name out of the pipeline when it makes an example input.
_LOADS_MASKS = "LoadAnnotations"
_OUR_MASK_LOADER = "LoadIndexMask"

_BACKEND_MODELS = vars(segmentation_model)["__BACKEND_MODEL"]


@MMSEG_TASK.register_module(Task.SEGMENTATION.value, force=True)
class FoldedSegmentation(Segmentation):
    """MMDeploy's segmentation task for models with blocks to fold; right for any other as well.

    Unlike the task that it takes the place of, it refuses a checkpoint that does not fit, and
    folds whatever the model holds, also where the segmentor has no ``switch_to_deploy``.
    """

    def __init__(self, model_cfg: Config, deploy_cfg: Config, device: str) -> None:
        if model_cfg.model.get("distiller") is not None:
            raise CheckpointMismatchError(
                f"{model_cfg.filename}: is the config of a distillation. Take the student out of "
                "its checkpoint with tools/extract_student.py, then export with the student's "
                "own config"
            )
        super().__init__(model_cfg, deploy_cfg, device)

    def build_pytorch_model(
        self, model_checkpoint: str | None = None, cfg_options: dict | None = None, **kwargs: Any
    ) -> nn.Module:
        """Build the folded model with the checkpoint's weights, in eval mode.

        Raises:
            ValueError: no checkpoint is given; random weights are not worth exporting.
            FileNotFoundError: there is no such checkpoint.
            lwam_mm.models.checkpoint.CheckpointMismatchError: it does not fit the config.
        """
        if model_checkpoint is None:
            raise ValueError("no checkpoint was given, and random weights are not worth exporting")
        model = MODELS.build(self.model_cfg.model)
        load_weights(model, model_checkpoint)
        model = revert_sync_batchnorm(model).to(self.device).eval()
        return reparameterize(model, inplace=True)

    def create_input(self, *args: Any, **kwargs: Any) -> tuple[dict, Tensor]:
        """Make an example input from images; there are no masks to load with them."""
        for transform in self.model_cfg.test_pipeline:
            if transform["type"] == _OUR_MASK_LOADER:
                transform["type"] = _LOADS_MASKS
        return super().create_input(*args, **kwargs)


@_BACKEND_MODELS.register_module("logits_end2end", force=True)
class LogitsEnd2EndModel(End2EndModel):
    """An exported model whose graph ends in logits (``with_argmax=False``).

    Logits are resized to the image's own size before the argmax, as MMSegmentation does it; the
    class that it derives from resizes labels, and so finds other figures than torch.
    """

    def pack_result(
        self, batch_outputs: Tensor, data_samples: Sequence[SegDataSample]
    ) -> list[SegDataSample]:
        """Turn logits (N, C, h, w) into one label map (1, H, W) a sample, at the image's size."""
        for logits, sample in zip(batch_outputs, data_samples, strict=True):
            top, bottom, left, right = _padding(sample)
            height, width = logits.shape[-2:]
            logits = logits[:, top : height - bottom, left : width - right]
            full_size = resize(
                logits[None].float(), size=sample.ori_shape, mode="bilinear", align_corners=False
            )
            sample.pred_sem_seg = PixelData(data=torch.argmax(full_size[0], dim=0, keepdim=True))
        return list(data_samples)


def _padding(sample: SegDataSample) -> tuple[int, int, int, int]:
    left, right, top, bottom = sample.metainfo.get("img_padding_size") or [0] * 4
    return top, bottom, left, right
