"""Networks to measure: built from their configs, with weights that keep numbers in range."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from lwam_mm.models import reparameterize
from lwam_mm.models.checkpoint import load_weights, save_checkpoint
from lwam_mm.runtime import read_image

_SEED = 0
_LARGEST_CROP = 512


def build(config: str | Path | Config, checkpoint: str | Path, *, folded: bool) -> nn.Module:
    """Build a segmentor with a checkpoint's weights, in eval mode.

    Raises:
        FileNotFoundError: there is no such config or checkpoint.
        lwam_mm.models.checkpoint.CheckpointMismatchError: the checkpoint does not fit.
    """
    model = _blank(config)
    load_weights(model, checkpoint)
    return reparameterize(model, inplace=True) if folded else model


def image_for(model: nn.Module, picture: str | Path) -> Tensor:
    """Read an image as a segmentor takes it: float32 (1, 3, H, W), RGB, normalised."""
    image = torch.from_numpy(read_image(picture))[None].permute(0, 3, 1, 2)
    return _normalised(model, image).contiguous()


def logits(model: nn.Module, image: Tensor) -> Tensor:
    """Return a segmentor's logits (1, C, H, W) at the image's own size, as the exporter does."""
    found = model(image, mode="tensor")
    if found.shape[2:] == image.shape[2:]:
        return found
    return resize(
        found,
        size=image.shape[2:],
        mode="bilinear",
        align_corners=model.decode_head.align_corners,
    )


def write_random_weights(config: Config, pictures: Sequence[Path], path: Path) -> None:
    """Draw a segmentor's weights at random and write them as a checkpoint.

    Its batch norms take their statistics from pictures: with those of a fresh model, numbers grow
    or shrink from layer to layer, and products of vanishing numbers take processors far longer.

    Args:
        config: the segmentor's config.
        pictures: two image files or more of one size.
        path: the checkpoint to write.
    """
    torch.manual_seed(_SEED)
    model = _blank(config)
    images = np.stack([read_image(picture) for picture in pictures])
    images = images[:, :_LARGEST_CROP, :_LARGEST_CROP]
    batch = _normalised(model, torch.from_numpy(images).permute(0, 3, 1, 2))
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.train()
        norm.momentum = None  # the plain mean of what it sees, without what it began with
        norm.reset_running_stats()
    with torch.no_grad():
        model(batch, mode="tensor")
    save_checkpoint(model.state_dict(), path)


def count(config: Config, size: int, *, folded: bool) -> tuple[int, int]:
    """Count parameters and multiply-accumulates of one image; nothing is computed for it.

    Args:
        config: the segmentor's config; its auxiliary heads, which do not run in use, do not count
            among the parameters.
        size: height and width in pixels.
        folded: count the folded net.

    Returns:
        Number of parameters, and number of multiply-accumulates in convolutions and matrix
        products as they are defined, whatever short cut an engine takes.
    """
    model = _blank(config)
    if folded:
        model = reparameterize(model)
    idle = sum(p.numel() for n, p in model.named_parameters() if n.startswith("auxiliary_head."))
    parameters = sum(p.numel() for p in model.parameters()) - idle
    return parameters, count_macs(model.to("meta"), size)


def count_macs(model: nn.Module, size: int) -> int:
    """Count the multiply-accumulates of a segmentor on the "meta" device; see :func:`count`."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, 3, size, size, device="meta"), mode="tensor")
    return counter.get_total_flops() // 2


def _blank(config: str | Path | Config) -> nn.Module:
    if not isinstance(config, Config):
        config = Config.fromfile(config)
    init_default_scope(config.get("default_scope", "mmseg"))
    return revert_sync_batchnorm(MODELS.build(config.model)).eval()


def _normalised(model: nn.Module, bgr: Tensor) -> Tensor:
    preprocessor = model.data_preprocessor
    return (bgr[:, [2, 1, 0]].float() - preprocessor.mean) / preprocessor.std
