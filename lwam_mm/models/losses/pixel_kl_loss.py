"""Kullback-Leibler divergence of dense logits."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from lwam_mm.models.losses.float32 import at_least_float32


@MODELS.register_module()
class PixelKLLoss(nn.Module):
    """Mean over the pixels of KL(teacher || student), times the temperature's square.

    Hinton et al. 2015 (arXiv 1503.02531), pixel by pixel. MMRazor's ``KLDivergence`` divides the
    sum by the images alone, or by the classes as well.

    Args:
        tau: temperature that both logits are divided by before the softmax, greater than 0.
        loss_weight: factor of the loss.

    Raises:
        ValueError: ``tau`` is not greater than 0.
    """

    def __init__(self, tau: float = 1.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        if tau <= 0:
            raise ValueError(f"tau={tau}: a temperature is greater than 0")
        self.tau = tau
        self.loss_weight = loss_weight

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare logits of equal shape.

        Args:
            preds_S: the student's logits (N, C, H, W).
            preds_T: the teacher's logits (N, C, H, W); no gradient flows into them.

        Returns:
            The loss, a scalar, 0 where both nets give the same probabilities.
        """
        student = (at_least_float32(preds_S) / self.tau).log_softmax(dim=1)
        teacher = (at_least_float32(preds_T.detach()) / self.tau).log_softmax(dim=1)
        divergence = functional.kl_div(student, teacher, reduction="none", log_target=True)
        return self.loss_weight * self.tau**2 * divergence.sum(dim=1).mean()
