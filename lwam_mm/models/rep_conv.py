"""The block of the released student."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from lwam_mm.models.foldable import FoldableConv, fold_norm


class RepConv(FoldableConv):
    """RepVGG's block (Ding et al. 2021, arXiv 2101.03697), which LWAM's student is made of.

    In training: 3x3 conv + BN, 1x1 conv + BN and, where input and output agree in channels and
    size, BN alone; the sum goes through a ReLU. All three are linear, so ``switch_to_deploy``
    replaces them by a single 3x3 convolution with bias that computes the same. The arguments are
    those of :class:`~lwam_mm.models.foldable.FoldableConv`.
    """

    def add_norms(self, make_norm: Callable[[], _BatchNorm]) -> None:
        """Add a batch norm to each branch."""
        if self.has_1x1:
            self.norm1x1 = make_norm()
        if self.has_identity:
            self.norm_identity = make_norm()

    def sum_branches(self, x: Tensor) -> Tensor:
        """Sum the branches, each behind its own norm."""
        y = self.norm3x3(self.conv3x3(x))
        if self.has_1x1:
            y = y + self.norm1x1(self.conv1x1(x))
        if self.has_identity:
            y = y + self.norm_identity(x)
        return y

    def merge_branches(self) -> tuple[Tensor, Tensor]:
        """Fold each branch with its norm, then add them up."""
        kernel, bias = fold_norm(self.conv3x3.weight, 0, self.norm3x3)
        if self.has_1x1:
            point, point_bias = fold_norm(self.point_kernel(), 0, self.norm1x1)
            kernel, bias = kernel + point, bias + point_bias
        if self.has_identity:
            identity, identity_bias = fold_norm(self.identity_kernel(), 0, self.norm_identity)
            kernel, bias = kernel + identity, bias + identity_bias
        return kernel, bias
