"""Dice loss of each class over the whole batch."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from lwam_mm.models.losses.float32 import at_least_float32
from lwam_mm.models.losses.global_batch import sum_over_processes


@MODELS.register_module()
class BatchDiceLoss(nn.Module):
    """One minus the mean soft Dice of the classes in the batch.

    Each class that occurs counts the same, however few its pixels. mmseg 1.2.2's ``DiceLoss`` sums
    over the classes before it divides, so that the background alone decides it. The sums run over
    the global batch of all processes, not over each image, because most images lack most classes.

    Args:
        loss_weight: Factor of the loss.
        loss_name: Name in the log; must begin with ``loss_``.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = "loss_dice") -> None:
        super().__init__()
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
            The loss, a scalar from 0 to ``loss_weight``; 0 if every pixel is ignored.
        """
        classes = cls_score.shape[1]
        counted = label != ignore_index
        pixels = counted.to(torch.float32)
        if weight is not None:
            pixels = pixels * weight
        pixels = pixels.unsqueeze(1)
        truth = functional.one_hot(label * counted, classes).movedim(-1, 1) * pixels
        probability = at_least_float32(cls_score).softmax(dim=1) * pixels
        axes = (0, 2, 3)
        parts = torch.stack([t.sum(axes) for t in (truth, probability, truth * probability)])
        truths, probabilities, overlaps = sum_over_processes(parts)
        # One more pixel on both sides keeps the gradient of a tiny class finite.
        dice = (2 * overlaps + 1) / (truths + probabilities + 1)
        present = truths > 0
        loss = ((1 - dice) * present).sum() / present.sum().clamp_min(1)
        return self.loss_weight * loss
