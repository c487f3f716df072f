"""DIST for dense logits."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.losses.global_batch import global_centred, global_norm, global_sum
from lwam_mm.models.losses.softened_logits import require_temperature, soften


@MODELS.register_module()
class PixelDISTLoss(nn.Module):
    """Match the teacher's relations between classes and between pixels (DIST).

    Huang et al. 2022, "Knowledge distillation from a stronger teacher" (arXiv 2205.10536). With
    the probabilities of both networks as an array of pixels by classes, the loss is one minus the
    Pearson correlation along the classes of each pixel (inter-class relation) plus one minus that
    along the pixels of each class (intra-class relation). Every pixel of the batch is a row, so
    any batch size works. MMRazor's ``DISTLoss`` takes the N images as rows and is made for
    classification.

    Args:
        tau: Temperature that both logits are divided by before the softmax, greater than 0. LWAM
            uses 4; the loss is not multiplied by its square.
        inter_loss_weight: Weight of the inter-class relation (beta).
        intra_loss_weight: Weight of the intra-class relation (gamma).
        loss_weight: Weight of the sum.
        resoften_teacher: Apply the softmax to the teacher twice, as the authors' released code
            does, which passes probabilities to a loss that applies softmax itself. The teacher
            then becomes almost uniform. False is the form of the paper.

    Raises:
        ValueError: ``tau`` is not greater than 0.

    Example:
        >>> import torch
        >>> logits = torch.tensor([2.0, -1.0, 0.5]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
        >>> loss = PixelDISTLoss(intra_loss_weight=0)
        >>> round(loss(logits, logits + 1).item(), 2), round(loss(logits, -logits).item(), 2)
        (0.0, 1.98)
    """

    def __init__(
        self,
        tau: float = 4.0,
        inter_loss_weight: float = 1.0,
        intra_loss_weight: float = 1.0,
        loss_weight: float = 1.0,
        resoften_teacher: bool = False,
    ) -> None:
        super().__init__()
        self.tau = require_temperature(tau)
        self.inter_loss_weight = inter_loss_weight
        self.intra_loss_weight = intra_loss_weight
        self.loss_weight = loss_weight
        self.resoften_teacher = resoften_teacher

    def forward(self, logits_S: Tensor, logits_T: Tensor) -> Tensor:
        """Compare logits of equal shape.

        Args:
            logits_S: The student's logits, (N, C, H, W).
            logits_T: The teacher's logits, (N, C, H, W); no gradient flows into them.

        Returns:
            The loss, a scalar between 0 and ``loss_weight`` times twice the sum of the
            other two weights.

        Raises:
            ValueError: The shapes differ.
        """
        student, teacher = (x.softmax(dim=1) for x in soften(logits_S, logits_T, self.tau))
        if self.resoften_teacher:
            teacher = teacher.softmax(dim=1)
        inter = 1 - _pearson_correlation(student, teacher, dims=(1,)).mean()
        intra = 1 - _pearson_correlation(student, teacher, dims=(0, 2, 3)).mean()
        return self.loss_weight * (self.inter_loss_weight * inter + self.intra_loss_weight * intra)


def _pearson_correlation(a: Tensor, b: Tensor, dims: tuple[int, ...], eps: float = 1e-8) -> Tensor:
    a, b = global_centred(a, dims), global_centred(b, dims)
    norms = global_norm(a, dims) * global_norm(b, dims)
    return global_sum(a * b, dims) / (norms + eps)
