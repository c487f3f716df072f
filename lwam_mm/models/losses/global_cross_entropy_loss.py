"""mmseg's cross-entropy, averaged over what all processes together have labelled."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import get_world_size
from mmseg.models.losses import CrossEntropyLoss
from mmseg.registry import MODELS
from torch import Tensor

from lwam_mm.models.losses.global_batch import over_processes


@MODELS.register_module()
class JointCrossEntropyLoss(CrossEntropyLoss):
    """mmseg's ``CrossEntropyLoss`` whose mean is that of the joint batch of all processes.

    With ``avg_non_ignore=True`` upstream's divides by the labelled pixels of one process. Where
    the processes have unequally many, a training in several is then not the one of a single
    process with the joint batch. This one weighs each process by what it has labelled. With one
    process it is upstream's, to the last bit.

    Args:
        **kwargs: of ``CrossEntropyLoss``, but for ``class_weight``, which upstream's cannot look
            up where a pixel is ignored.

    Raises:
        ValueError: ``class_weight`` is given.
    """

    def __init__(self, **kwargs: Any) -> None:
        if kwargs.get("class_weight") is not None:
            raise ValueError(
                f"class_weight={kwargs['class_weight']}: use WeightedCrossEntropyLoss for that"
            )
        super().__init__(**kwargs)

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        **kwargs: Any,
    ) -> Tensor:
        """Compare logits with labels.

        Args:
            cls_score: logits (N, C, H, W).
            label: class indices or ``ignore_index``, int64 (N, H, W).
            weight: weight of each pixel (N, H, W), as mmseg's pixel samplers give it.
            ignore_index: label of pixels that do not count.
            **kwargs: further arguments of upstream's.

        Returns:
            The loss of this process's share, a scalar; the mean over the processes is that of the
            joint batch.
        """
        loss = super().forward(cls_score, label, weight, ignore_index=ignore_index, **kwargs)
        if not self.avg_non_ignore:
            return loss
        labelled = (label != ignore_index).sum().to(torch.float32)
        return loss * (get_world_size() * labelled / over_processes(labelled).clamp_min(1))
