"""Cross-entropy averaged over the labelled pixels of all processes."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import get_world_size
from mmseg.models.losses import CrossEntropyLoss
from mmseg.registry import MODELS
from torch import Tensor

from lwam_mm.models.losses.global_batch import sum_over_processes


# The second name is the one that configs have.
@MODELS.register_module(name=["GlobalCrossEntropyLoss", "JointCrossEntropyLoss"])
class GlobalCrossEntropyLoss(CrossEntropyLoss):
    """mmseg's ``CrossEntropyLoss``, averaged over the global batch of all processes.

    With ``avg_non_ignore=True``, mmseg's divides by the labelled pixels of one process. If the
    processes have unequally many, training with several then differs from training with a single
    process on the global batch. This loss weights each process by its labelled pixels. With one
    process it equals mmseg's to the last bit.

    Args:
        **kwargs: Those of ``CrossEntropyLoss``, except ``class_weight``, which mmseg's cannot look
            up for ignored pixels.

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
        """Compare logits with labels, as :meth:`LabelledLoss.forward` does.

        Returns:
            The loss of this process's share, a scalar; the mean over the processes is the loss of
            the global batch.
        """
        loss = super().forward(cls_score, label, weight, ignore_index=ignore_index, **kwargs)
        if not self.avg_non_ignore:
            return loss
        labelled = (label != ignore_index).sum().to(torch.float32)
        return loss * (get_world_size() * labelled / sum_over_processes(labelled).clamp_min(1))
