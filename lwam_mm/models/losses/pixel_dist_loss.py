"""DIST for dense logits."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.losses.float32 import at_least_float32
from lwam_mm.models.losses.global_batch import joint_centred, joint_norm, joint_sum


@MODELS.register_module()
class PixelDISTLoss(nn.Module):
    """Match the teacher's relations between classes and between pixels (DIST).

    Huang et al. 2022, "Knowledge distillation from a stronger teacher" (arXiv 2205.10536): with
    both nets' probabilities as an array of pixels by classes, one minus the Pearson correlation
    along each pixel's classes (inter-class relation) plus the same along each class's pixels
    (intra-class relation). Every pixel of the batch is a row, so N = 1 works as well as any N;
    MMRazor's ``DISTLoss`` takes the N images as rows and is meant for classification.

    Args:
        tau: temperature that both logits are divided by before the softmax, greater than 0. LWAM
            uses 4; the loss is not multiplied by its square.
        inter_loss_weight: weight of the inter-class relation (beta).
        intra_loss_weight: weight of the intra-class relation (gamma).
        loss_weight: weight of the sum.
        resoften_teacher: as the authors' released code has it, which hands probabilities to a
            loss that takes softmax itself: the teacher is softened twice, and becomes almost
            uniform. False is the paper's form.

    Raises:
        ValueError: ``tau`` is not greater than 0.
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
        if tau <= 0:
            raise ValueError(f"tau={tau}: a temperature is greater than 0")
        self.tau = tau
        self.inter_loss_weight = inter_loss_weight
        self.intra_loss_weight = intra_loss_weight
        self.loss_weight = loss_weight
        self.resoften_teacher = resoften_teacher

    def forward(self, logits_S: Tensor, logits_T: Tensor) -> Tensor:
        """Compare logits of equal shape.

        Args:
            logits_S: the student's logits (N, C, H, W).
            logits_T: the teacher's logits (N, C, H, W); no gradient flows into them.

        Returns:
            The loss, a scalar between 0 and twice the sum of the weights.

        Raises:
            ValueError: the shapes differ.
        """
        if logits_S.shape != logits_T.shape:
            raise ValueError(
                f"the student's logits are {tuple(logits_S.shape)}, the teacher's "
                f"{tuple(logits_T.shape)}: both must have the same classes and size"
            )
        student = (at_least_float32(logits_S) / self.tau).softmax(dim=1)
        teacher = (at_least_float32(logits_T.detach()) / self.tau).softmax(dim=1)
        if self.resoften_teacher:
            teacher = teacher.softmax(dim=1)
        inter = 1 - _pearson_correlation(student, teacher, dims=(1,)).mean()
        intra = 1 - _pearson_correlation(student, teacher, dims=(0, 2, 3)).mean()
        return self.loss_weight * (self.inter_loss_weight * inter + self.intra_loss_weight * intra)


def _pearson_correlation(a: Tensor, b: Tensor, dims: tuple[int, ...], eps: float = 1e-8) -> Tensor:
    a, b = joint_centred(a, dims), joint_centred(b, dims)
    norms = joint_norm(a, dims) * joint_norm(b, dims)
    return joint_sum(a * b, dims) / (norms + eps)
