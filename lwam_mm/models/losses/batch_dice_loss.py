"""Dice loss, class by class over the whole batch."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from lwam_mm.models.losses.float32 import at_least_float32
from lwam_mm.models.losses.global_batch import over_processes


@MODELS.register_module()
class BatchDiceLoss(nn.Module):
    """One minus the mean soft Dice of the classes that the batch holds.

    Each class that is there counts the same, however few its pixels. mmseg 1.2.2's ``DiceLoss``
    sums over the classes before it divides, so that the background decides it alone. The sums run
    over the batch, that of all processes together, not over each image: most images lack most
    classes.

    Args:
        loss_weight: factor of the loss.
        loss_name: name in the log; has to begin with ``loss_``.
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
            cls_score: logits (N, C, H, W).
            label: class indices or ``ignore_index``, int64 (N, H, W).
            weight: weight of each pixel (N, H, W), as mmseg's pixel samplers give it.
            ignore_index: label of pixels that do not count.

        Returns:
            The loss, a scalar of 0 to ``loss_weight``; 0 where every pixel is ignored.
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
        truths, probabilities, overlaps = over_processes(parts)
        # One pixel is added above and below: it keeps the gradient of a tiny class finite.
        dice = (2 * overlaps + 1) / (truths + probabilities + 1)
        present = truths > 0
        loss = ((1 - dice) * present).sum() / present.sum().clamp_min(1)
        return self.loss_weight * loss
