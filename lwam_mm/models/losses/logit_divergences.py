"""Kullback-Leibler divergences of dense logits."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from lwam_mm.models.losses.softened_logits import require_temperature, soften


class LogitDivergence(nn.Module):
    """Mean of KL(teacher || student), times the temperature's square, of softmax distributions.

    Args:
        tau: Temperature that both maps are divided by before the softmax, greater than 0.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: ``tau`` is not greater than 0.
    """

    axis: int
    """The axis of (N, C, H * W) along which a distribution lies."""

    def __init__(self, tau: float = 1.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.tau = require_temperature(tau)
        self.loss_weight = loss_weight

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare maps of equal shape.

        Args:
            preds_S: The student's logits or feature, (N, C, H, W).
            preds_T: The teacher's, (N, C, H, W); no gradient flows into them.

        Returns:
            The loss, a scalar; 0 where both give the same distributions.

        Raises:
            ValueError: The shapes differ.
        """
        student, teacher = (
            logits.flatten(2).log_softmax(self.axis)
            for logits in soften(preds_S, preds_T, self.tau)
        )
        divergence = functional.kl_div(student, teacher, reduction="none", log_target=True)
        return self.loss_weight * self.tau**2 * divergence.sum(self.axis).mean()


@MODELS.register_module()
class PixelKLLoss(LogitDivergence):
    """Match, pixel by pixel, the teacher's probabilities of the classes.

    Hinton et al. 2015 (arXiv 1503.02531): the distribution of a pixel lies over its classes, and
    the loss is the mean over the pixels. MMRazor's ``KLDivergence`` divides the sum by the number
    of images alone, or by that of the classes as well. Arguments are those of
    :class:`LogitDivergence`.
    """

    axis = 1


@MODELS.register_module()
class ChannelWiseLoss(LogitDivergence):
    """Match, class by class, where in the image the teacher is active.

    Shu et al. 2021 (arXiv 2011.13256): the distribution of a channel lies over the pixels of an
    image, and the loss is the mean over channels and images. It equals MMRazor's
    ``ChannelWiseDivergence``, which neither takes channels-last tensors nor keeps float32 under
    mixed precision. Arguments are those of :class:`LogitDivergence`.
    """

    axis = 2
