"""Focal loss over the classes of each pixel."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn import functional

from lwam_mm.models.losses.global_batch import sum_over_processes
from lwam_mm.models.losses.labelled_loss import IGNORED, LabelledLoss


@MODELS.register_module()
class PixelFocalLoss(LabelledLoss):
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
        super().__init__(loss_weight, loss_name)
        if gamma < 0:
            raise ValueError(f"gamma={gamma}: use 0 or more")
        self.gamma = gamma

    def compare(self, logits: Tensor, label: Tensor, weights: Tensor) -> Tensor:
        """Return the mean over the labelled pixels."""
        entropy = functional.cross_entropy(logits, label, reduction="none")
        # -expm1(-e) is 1 - p without the rounding of a p near 1. A power of 0 has no gradient.
        unsure = (-(-entropy).expm1()).clamp_min(1e-6)
        pixels = unsure**self.gamma * entropy * weights
        labelled = (label != IGNORED).sum().to(pixels.dtype)
        total, count = sum_over_processes(torch.stack([pixels.sum(), labelled]))
        return total / count.clamp_min(1)
