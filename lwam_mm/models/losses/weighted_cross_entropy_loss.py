"""Cross-entropy with class weights that allows ignored pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from lwam_mm.models.losses.float32 import at_least_float32
from lwam_mm.models.losses.global_batch import sum_over_processes


@MODELS.register_module()
class WeightedCrossEntropyLoss(nn.Module):
    """Mean cross-entropy over the labelled pixels, each weighted by its class.

    For imbalanced data. mmseg 1.2.2's ``CrossEntropyLoss`` looks up ``class_weight`` by the label
    and fails with an IndexError at ignored pixels (255), and so also at padding.

    Args:
        class_weight: Weight of each class in index order, 0 or more, not all 0.
        loss_weight: Factor of the loss.
        loss_name: Name in the log; must begin with ``loss_``.

    Raises:
        ValueError: A weight is negative or all are 0.
    """

    def __init__(
        self,
        class_weight: Sequence[float],
        loss_weight: float = 1.0,
        loss_name: str = "loss_ce",
    ) -> None:
        super().__init__()
        if not class_weight or min(class_weight) < 0 or max(class_weight) == 0:
            raise ValueError(
                f"class_weight={list(class_weight)}: give one weight for each class, none "
                "negative, not all 0"
            )
        # Not persistent: the weights of the loss are no part of the model.
        self.register_buffer("class_weight", torch.tensor(class_weight), persistent=False)
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
            weight: Further weight of each pixel, (N, H, W), as mmseg's pixel samplers return it.
            ignore_index: Label of pixels that do not count.

        Returns:
            The loss, a scalar; 0 if every pixel is ignored.

        Raises:
            ValueError: The number of classes of the logits is not that of the weights.
        """
        if cls_score.shape[1] != len(self.class_weight):
            raise ValueError(
                f"{len(self.class_weight)} class weights for {cls_score.shape[1]} classes: give "
                "one for each class in loss_decode.class_weight"
            )
        pixels = functional.cross_entropy(
            at_least_float32(cls_score), label, reduction="none", ignore_index=ignore_index
        )
        counted = label != ignore_index
        weights = self.class_weight.to(pixels.dtype)[label * counted] * counted
        if weight is not None:
            weights = weights * weight
        total, divisor = sum_over_processes(torch.stack([(pixels * weights).sum(), weights.sum()]))
        return self.loss_weight * (total / divisor.clamp_min(torch.finfo(pixels.dtype).eps))
