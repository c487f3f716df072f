"""QARepVGG's block, for students that are quantized."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from lwam_mm.models.reparam.fold import FoldableConv, fold_norm


class QARepConv(FoldableConv):
    """QARepVGG's block (Chu et al. 2022, arXiv 2212.01593), made for quantization after folding.

    Like :class:`RepConv`, but the 1x1 and the identity branch have no norms of their own. The sum
    of 3x3 conv + BN, 1x1 conv and identity goes through a BN and then a ReLU. Without norms that
    amplify single channels of those two branches, the folded weights and the activations spread
    evenly enough for 8 bits. The norm after the sum keeps training stable. The arguments are those
    of :class:`~lwam_mm.models.reparam.fold.FoldableConv`.
    """

    def add_norms(self, make_norm: Callable[[], _BatchNorm]) -> None:
        """Add the batch norm after the sum."""
        self.norm_sum = make_norm()

    def sum_branches(self, x: Tensor) -> Tensor:
        """Sum the branches and normalize the sum."""
        y = self.norm3x3(self.conv3x3(x))
        if self.has_1x1:
            y = y + self.conv1x1(x)
        if self.has_identity:
            y = y + x
        return self.norm_sum(y)

    def fold_branches(self) -> tuple[Tensor, Tensor]:
        """Fold the 3x3 branch with its norm, add the others, then fold the norm of the sum."""
        kernel, bias = fold_norm(self.conv3x3.weight, 0, self.norm3x3)
        if self.has_1x1:
            kernel = kernel + self.point_kernel()
        if self.has_identity:
            kernel = kernel + self.identity_kernel()
        return fold_norm(kernel, bias, self.norm_sum)
