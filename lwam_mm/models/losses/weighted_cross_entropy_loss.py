"""Cross-entropy with class weights that allows ignored pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn import functional

from lwam_mm.models.losses.global_batch import sum_over_processes
from lwam_mm.models.losses.labelled_loss import LabelledLoss


@MODELS.register_module()
class WeightedCrossEntropyLoss(LabelledLoss):
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
        super().__init__(loss_weight, loss_name)
        if not class_weight or min(class_weight) < 0 or max(class_weight) == 0:
            raise ValueError(
                f"class_weight={list(class_weight)}: set one weight for each class, none "
                "negative, not all 0"
            )
        # Not persistent: the weights of the loss are no part of the model.
        self.register_buffer("class_weight", torch.tensor(class_weight), persistent=False)

    def compare(self, logits: Tensor, label: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted mean.

        Raises:
            ValueError: The number of classes of the logits is not that of the weights.
        """
        if logits.shape[1] != len(self.class_weight):
            raise ValueError(
                f"{len(self.class_weight)} class weights for {logits.shape[1]} classes: set "
                "one for each class in loss_decode.class_weight"
            )
        pixels = functional.cross_entropy(logits, label, reduction="none")
        weights = self.class_weight.to(pixels.dtype)[label.clamp_min(0)] * weights
        total, divisor = sum_over_processes(torch.stack([(pixels * weights).sum(), weights.sum()]))
        return total / divisor.clamp_min(torch.finfo(pixels.dtype).eps)
