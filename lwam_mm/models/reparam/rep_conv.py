"""RepVGG's block, of which the released student is made."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lwam_mm.models.reparam.fold import FoldableConv, fold_norm
from lwam_mm.models.reparam.fused_branches import FusedBranches


class RepConv(FoldableConv):
    """RepVGG's block (Ding et al. 2021, arXiv 2101.03697), of which LWAM's student is made.

    In training it sums 3x3 conv + BN, 1x1 conv + BN and, if input and output agree in channels and
    size, BN alone; the sum goes through a ReLU. All three branches are linear in evaluation, so
    ``switch_to_deploy`` replaces them by a single 3x3 convolution with bias that computes the
    same. The arguments are those of :class:`~lwam_mm.models.reparam.fold.FoldableConv`.

    Attributes:
        fuses_branches: Whether the training step is a single
            :class:`~lwam_mm.models.reparam.fused_branches.FusedBranches`: the same function in
            less memory and time. The branches still run one by one where that does not apply, as on
            GPUs, in mixed precision, with hooks inside the block, with frozen, synchronized or
            non-affine norms, with groups, or without a 1x1 branch.
    """

    fuses_branches = False

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        if not self.fuses_branches or not self._can_fuse(x):
            return super().forward(x)
        x = x.contiguous(memory_format=torch.channels_last)
        identity = self.norm_identity if self.has_identity else None
        point = [self.conv1x1.weight.flatten(1), self.norm1x1.weight, self.norm1x1.bias]
        if identity is not None:
            point += [identity.weight, identity.bias]
        return FusedBranches.apply(
            x,
            self.conv3x3,
            self.norm3x3,
            self.norm1x1,
            identity,
            self.conv3x3.weight,
            self.norm3x3.weight,
            self.norm3x3.bias,
            *point,
        )

    def add_norms(self, make_norm: Callable[[], _BatchNorm]) -> None:
        """Add a batch norm to each branch."""
        if self.has_1x1:
            self.norm1x1 = make_norm()
        if self.has_identity:
            self.norm_identity = make_norm()

    def sum_branches(self, x: Tensor) -> Tensor:
        """Sum the branches, each after its own norm."""
        y = self.norm3x3(self.conv3x3(x))
        if self.has_1x1:
            y = y + self.norm1x1(self.conv1x1(x))
        if self.has_identity:
            y = y + self.norm_identity(x)
        return y

    def _can_fuse(self, x: Tensor) -> bool:
        if self.is_folded or not self.has_1x1 or self.conv1x1.groups != 1:
            return False
        norms = [module for name, module in self.named_children() if name.startswith("norm")]
        return (
            x.device.type == "cpu"
            and x.dtype == self.conv1x1.weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and not any(m._forward_hooks or m._forward_pre_hooks for m in self.children())
            and all(type(norm) is nn.BatchNorm2d and norm.affine for norm in norms)
            and all(norm.training and norm.track_running_stats for norm in norms)
        )

    def fold_branches(self) -> tuple[Tensor, Tensor]:
        """Fold each branch with its norm, then add them."""
        kernel, bias = fold_norm(self.conv3x3.weight, 0, self.norm3x3)
        if self.has_1x1:
            point, point_bias = fold_norm(self.point_kernel(), 0, self.norm1x1)
            kernel, bias = kernel + point, bias + point_bias
        if self.has_identity:
            identity, identity_bias = fold_norm(self.identity_kernel(), 0, self.norm_identity)
            kernel, bias = kernel + identity, bias + identity_bias
        return kernel, bias
