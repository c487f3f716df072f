"""Focal loss over the classes of each pixel."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from lwam_mm.models.losses.float32 import at_least_float32
from lwam_mm.models.losses.global_batch import over_processes


@MODELS.register_module()
class PixelFocalLoss(nn.Module):
    """Mean over the labelled pixels of ``(1 - p) ** gamma`` times the cross-entropy ``-log p``.

    p is the softmax probability of the pixel's class (Lin et al. 2017, arXiv 1708.02002, with
    softmax in place of one sigmoid a class): what is already right hardly counts. mmseg 1.2.2's
    ``FocalLoss`` fails on a CPU with more than one class.

    Args:
        gamma: how strongly sure pixels are played down, not negative; 0 is plain cross-entropy.
        loss_weight: factor of the loss.
        loss_name: name in the log; has to begin with ``loss_``.

    Raises:
        ValueError: ``gamma`` is negative.
    """

    def __init__(
        self, gamma: float = 2.0, loss_weight: float = 1.0, loss_name: str = "loss_focal"
    ) -> None:
        super().__init__()
        if gamma < 0:
            raise ValueError(f"gamma={gamma}: give 0 or more")
        self.gamma = gamma
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Compare logits with labels.

        Args:
            cls_score: logits (N, C, H, W).
            label: class indices or ``ignore_index``, int64 (N, H, W).
            weight: weight of each pixel (N, H, W), as mmseg's pixel samplers give it.
            ignore_index: label of pixels that do not count.

        Returns:
            The loss, a scalar; 0 where every pixel is ignored.
        """
        entropy = functional.cross_entropy(
            at_least_float32(cls_score), label, reduction="none", ignore_index=ignore_index
        )
        # -expm1(-e) is 1 - p without the rounding of a p near 1; the power of 0 has no gradient.
        unsure = (-(-entropy).expm1()).clamp_min(1e-6)
        pixels = unsure**self.gamma * entropy
        if weight is not None:
            pixels = pixels * weight
        labelled = (label != ignore_index).sum().to(pixels.dtype)
        total, count = over_processes(torch.stack([pixels.sum(), labelled]))
        return self.loss_weight * total / count.clamp_min(1)
