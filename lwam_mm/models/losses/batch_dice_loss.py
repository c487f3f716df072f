"""Dice loss of each class over the whole batch."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn import functional

from lwam_mm.models.losses.global_batch import sum_over_processes
from lwam_mm.models.losses.labelled_loss import LabelledLoss


@MODELS.register_module()
class BatchDiceLoss(LabelledLoss):
    """One minus the mean soft Dice of the classes in the batch; from 0 to ``loss_weight``.

    Each class that occurs counts the same, however few its pixels. mmseg 1.2.2's ``DiceLoss`` sums
    over the classes before it divides, so that the background alone decides it. The sums run over
    the global batch of all processes, not over each image, because most images lack most classes.

    Args:
        loss_weight: Factor of the loss.
        loss_name: Name in the log; must begin with ``loss_``.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = "loss_dice") -> None:
        super().__init__(loss_weight, loss_name)

    def compare(self, logits: Tensor, label: Tensor, weights: Tensor) -> Tensor:
        """Return one minus the mean Dice of the classes that occur."""
        weights = weights.unsqueeze(1)
        classes = functional.one_hot(label.clamp_min(0), logits.shape[1]).movedim(-1, 1)
        truth, probability = classes * weights, logits.softmax(dim=1) * weights
        axes = (0, 2, 3)
        parts = torch.stack([t.sum(axes) for t in (truth, probability, truth * probability)])
        truths, probabilities, overlaps = sum_over_processes(parts)
        # One more pixel on both sides keeps the gradient of a tiny class finite.
        dice = (2 * overlaps + 1) / (truths + probabilities + 1)
        present = truths > 0
        return ((1 - dice) * present).sum() / present.sum().clamp_min(1)
