"""The base of the losses that compare logits with labels."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from lwam_mm.models.losses.float32 import at_least_float32

IGNORED = -100
"""Label of ignored pixels in :meth:`LabelledLoss.compare`, torch's own default."""


class LabelledLoss(nn.Module):
    """A loss with the arguments that mmseg's decode heads pass.

    Args:
        loss_weight: Factor of the loss.
        loss_name: Name in the log; must begin with ``loss_``.
    """

    def __init__(self, loss_weight: float, loss_name: str) -> None:
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
            The loss, a scalar; 0 if every pixel is ignored.
        """
        logits = at_least_float32(cls_score)
        counted = label != ignore_index
        weights = counted.to(torch.float32)
        if weight is not None:
            weights = weights * weight
        return self.loss_weight * self.compare(logits, label.where(counted, IGNORED), weights)

    @abstractmethod
    def compare(self, logits: Tensor, label: Tensor, weights: Tensor) -> Tensor:
        """Compare logits, in float32 or better, with labels.

        Args:
            logits: Logits, (N, C, H, W).
            label: Class indices or :data:`IGNORED`, int64, (N, H, W).
            weights: Weight of each pixel, (N, H, W); 0 where it is ignored.
        """
