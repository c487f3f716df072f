"""Focal loss over the classes of each pixel."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from lwam_mm.models.losses.float32 import at_least_float32
from lwam_mm.models.losses.global_batch import sum_over_processes


@MODELS.register_module()
class PixelFocalLoss(nn.Module):
    """Mean over the labelled pixels of ``(1 - p) ** gamma`` times the cross-entropy ``-log p``.

    p is the softmax probability of the pixel's class: pixels that are already right hardly count.
    Lin et al. 2017 (arXiv 1708.02002) use one sigmoid for each class instead of softmax. mmseg
    1.2.2's ``FocalLoss`` fails on a CPU with more than one class.

    Args:
        gamma: How strongly pixels with a high p are weighted down, 0 or more; 0 is plain
            cross-entropy.
        loss_weight: Factor of the loss.
        loss_name: Name in the log; must begin with ``loss_``.

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
            cls_score: Logits, (N, C, H, W).
            label: Class indices or ``ignore_index``, int64, (N, H, W).
            weight: Weight of each pixel, (N, H, W), as mmseg's pixel samplers return it.
            ignore_index: Label of pixels that do not count.

        Returns:
            The loss, a scalar; 0 if every pixel is ignored.
        """
        entropy = functional.cross_entropy(
            at_least_float32(cls_score), label, reduction="none", ignore_index=ignore_index
        )
        # -expm1(-e) is 1 - p without the rounding of a p near 1. A power of 0 has no gradient.
        unsure = (-(-entropy).expm1()).clamp_min(1e-6)
        pixels = unsure**self.gamma * entropy
        if weight is not None:
            pixels = pixels * weight
        labelled = (label != ignore_index).sum().to(pixels.dtype)
        total, count = sum_over_processes(torch.stack([pixels.sum(), labelled]))
        return self.loss_weight * total / count.clamp_min(1)
