"""Channel-wise distillation of dense logits."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from lwam_mm.models.losses.float32 import at_least_float32


@MODELS.register_module()
class ChannelWiseLoss(nn.Module):
    """Match, class by class, where in the image the teacher looks.

    Shu et al. 2021 (arXiv 2011.13256): each channel of each image becomes a distribution over the
    pixels; the loss is the mean of KL(teacher || student) over channels and images, times the
    temperature's square. The same as MMRazor's ``ChannelWiseDivergence``, which takes neither
    channels-last tensors nor keeps float32 under mixed precision.

    Args:
        tau: temperature that both maps are divided by before the softmax, greater than 0.
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
        """Compare maps of equal shape.

        Args:
            preds_S: the student's logits or feature (N, C, H, W).
            preds_T: the teacher's (N, C, H, W); no gradient flows into them.

        Returns:
            The loss, a scalar, 0 where the maps differ by a constant for each channel.
        """
        student = (at_least_float32(preds_S).flatten(2) / self.tau).log_softmax(dim=2)
        teacher = (at_least_float32(preds_T.detach()).flatten(2) / self.tau).log_softmax(dim=2)
        divergence = functional.kl_div(student, teacher, reduction="none", log_target=True)
        return self.loss_weight * self.tau**2 * divergence.sum(dim=2).mean()
