"""Cross-entropy with class weights that gets along with ignored pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from lwam_mm.models.losses.float32 import at_least_float32
from lwam_mm.models.losses.global_batch import over_processes


@MODELS.register_module()
class WeightedCrossEntropyLoss(nn.Module):
    """Mean cross-entropy over the labelled pixels, each weighted by its class.

    For imbalanced data. mmseg 1.2.2's ``CrossEntropyLoss`` looks up ``class_weight`` by the label,
    which fails with an IndexError where a pixel is to be ignored (255); so with class weights it
    can be used on masks without ignored pixels and without padding only.

    Args:
        class_weight: weight of each class in index order, not negative, not all 0.
        loss_weight: factor of the loss.
        loss_name: name in the log; has to begin with ``loss_``.

    Raises:
        ValueError: a weight is negative or all are 0.
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
                f"class_weight={list(class_weight)}: give one weight a class, none negative, not "
                "all 0"
            )
        # Not persistent: a checkpoint does not depend on how it was trained.
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
            cls_score: logits (N, C, H, W).
            label: class indices or ``ignore_index``, int64 (N, H, W).
            weight: further weight of each pixel (N, H, W), as mmseg's pixel samplers give it.
            ignore_index: label of pixels that do not count.

        Returns:
            The loss, a scalar; 0 where every pixel is ignored.

        Raises:
            ValueError: the logits have another number of classes than there are weights.
        """
        if cls_score.shape[1] != len(self.class_weight):
            raise ValueError(
                f"{len(self.class_weight)} class weights for {cls_score.shape[1]} classes: give "
                "one for each in loss_decode.class_weight"
            )
        pixels = functional.cross_entropy(
            at_least_float32(cls_score), label, reduction="none", ignore_index=ignore_index
        )
        counted = label != ignore_index
        weights = self.class_weight.to(pixels.dtype)[label * counted] * counted
        if weight is not None:
            weights = weights * weight
        total, divisor = over_processes(torch.stack([(pixels * weights).sum(), weights.sum()]))
        return self.loss_weight * (total / divisor.clamp_min(torch.finfo(pixels.dtype).eps))
