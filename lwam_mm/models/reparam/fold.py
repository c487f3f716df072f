"""The bases of the re-parameterizable blocks, and the folding of whole models."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lwam_mm.models.reparam.point_conv import PointConv2d
from lwam_mm.utils.errors import UserError


class NonFiniteFoldError(UserError, ArithmeticError):
    """Folding a block gives weights that are infinite or NaN."""


class FoldableBlock(BaseModule):
    """Block of branches with batch norms that folds into a single convolution.

    Attributes:
        dense: The branch whose geometry the folded convolution has; missing once folded.
        activation: What the sum of the branches goes through.
    """

    dense: nn.Conv2d
    activation: nn.Module

    @abstractmethod
    def sum_branches(self, x: Tensor) -> Tensor:
        """Map x, (N, in_channels, H, W), to the activation's input, (N, out_channels, H', W')."""

    @abstractmethod
    def fold_branches(self) -> tuple[Tensor, Tensor]:
        """Return float64 kernel and bias of a convolution equal to :meth:`sum_branches`."""

    @property
    def is_folded(self) -> bool:
        """Whether the branches are one convolution."""
        return hasattr(self, "folded")

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        return self.activation(self.folded(x) if self.is_folded else self.sum_branches(x))

    def switch_to_deploy(self) -> None:
        """Fold the branches in place; a folded block stays as it is.

        Raises:
            RuntimeError: A branch is in training mode, where its norm uses the statistics of the
                batch and no convolution computes the same.
            NonFiniteFoldError: A folded weight is infinite or NaN; nothing was changed.
        """
        reparameterize(self, inplace=True)

    def replace_branches(self, kernel: Tensor, bias: Tensor) -> None:
        """Replace the branches by one convolution with the given weights, in eval mode."""
        folded = self.dense.eval()
        trainable = folded.weight.requires_grad
        folded.weight = nn.Parameter(kernel, requires_grad=trainable)
        folded.bias = nn.Parameter(bias, requires_grad=trainable)
        for name, _ in list(self.named_children()):
            if name != "activation":
                delattr(self, name)
        self.folded = folded

    def _batch_norm(self, norm_cfg: dict, channels: int) -> _BatchNorm:
        from mmcv.cnn import build_norm_layer

        norm = build_norm_layer(norm_cfg, channels)[1]
        if not isinstance(norm, _BatchNorm) or not norm.track_running_stats:
            raise TypeError(
                f"norm_cfg={norm_cfg!r} builds a {type(norm).__name__}, which cannot be folded; a "
                f"{type(self).__name__} needs a batch norm with running statistics, such as "
                "dict(type='BN') or dict(type='SyncBN')"
            )
        return norm


class FoldableConv(FoldableBlock):
    """3x3 convolution that trains as a sum of branches and folds into a single convolution.

    Base of the blocks. It has the convolutions of a 3x3 branch with batch norm and of a 1x1
    branch, and knows whether there is an identity branch. A subclass says where the other batch
    norms are, in training (:meth:`sum_branches`) and in folding (:meth:`fold_branches`). The sum
    goes through a ReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the block. The 3x3 branch pads by ``dilation``, so that an input of size
            (H, W) gives (ceil(H / stride), ceil(W / stride)).
        dilation: Spacing of the 3x3 kernel's taps.
        groups: Groups of the 3x3 and of the 1x1 convolution.
        with_1x1: Whether there is a 1x1 branch.
        with_identity: Whether there is an identity branch if input and output agree in channels
            and size.
        norm_cfg: Config of the norm layers, by default ``dict(type='BN')``. They must be
            batch norms with running statistics, since nothing else folds.
        deploy: Build the folded form, for checkpoints of a folded model.
        init_cfg: Initialization config of mmengine.

    Raises:
        TypeError: ``norm_cfg`` does not build such batch norms.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        with_1x1: bool = True,
        with_identity: bool = True,
        norm_cfg: dict | None = None,
        deploy: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        geometry = dict(stride=stride, groups=groups)
        padded = dict(kernel_size=3, padding=dilation, dilation=dilation, **geometry)
        self.activation = nn.ReLU(inplace=True)
        if deploy:
            self.folded = nn.Conv2d(in_channels, out_channels, bias=True, **padded)
            return
        norm_cfg = norm_cfg or dict(type="BN")
        self.has_1x1 = with_1x1
        self.has_identity = with_identity and in_channels == out_channels and stride == 1
        self.conv3x3 = nn.Conv2d(in_channels, out_channels, bias=False, **padded)
        self.norm3x3 = self._batch_norm(norm_cfg, out_channels)
        if with_1x1:
            self.conv1x1 = PointConv2d(in_channels, out_channels, bias=False, **geometry)
        self.add_norms(lambda: self._batch_norm(norm_cfg, out_channels))

    @property
    def dense(self) -> nn.Conv2d:
        """The 3x3 branch's convolution."""
        return self.conv3x3

    @abstractmethod
    def add_norms(self, make_norm: Callable[[], _BatchNorm]) -> None:
        """Add the batch norms beside that of the 3x3 branch; each call makes one."""

    def identity_kernel(self) -> Tensor:
        """Return the float64 kernel, shaped as that of the 3x3 branch, of the identity."""
        kernel = torch.zeros_like(self.conv3x3.weight, dtype=torch.float64)
        return nn.init.dirac_(kernel, groups=self.conv3x3.groups)

    def point_kernel(self) -> Tensor:
        """Return the 1x1 branch's kernel in float64, padded to 3x3."""
        return nn.functional.pad(self.conv1x1.weight.double(), (1, 1, 1, 1))


def reparameterize(model: nn.Module, inplace: bool = False) -> nn.Module:
    """Fold every :class:`FoldableBlock` in ``model`` into a single convolution.

    Folding again changes nothing. A model without such blocks is returned as it is (copied, unless
    ``inplace``).

    Args:
        model: Any module, in eval mode.
        inplace: Fold ``model`` itself instead of a deep copy.

    Returns:
        The folded model, whose outputs are the same up to floating-point rounding.

    Raises:
        RuntimeError: A block is in training mode; nothing was changed.
        NonFiniteFoldError: A folded weight is infinite or NaN; nothing was changed.

    Example:
        >>> import torch
        >>> from lwam_mm.models import LWRNet, reparameterize
        >>> encoder = LWRNet(base_channels=8).eval()
        >>> folded = reparameterize(encoder)
        >>> image = torch.randn(1, 3, 32, 32)
        >>> torch.allclose(encoder(image)[0], folded(image)[0], atol=1e-4)
        True
        >>> [type(module).__name__ for module in folded.stage0.modules()]
        ['Sequential', 'RepConv', 'ReLU', 'Conv2d']
    """
    kernels = {
        name: _kernel_and_bias(name, block)
        for name, block in model.named_modules()
        if isinstance(block, FoldableBlock) and not block.is_folded
    }
    if not inplace:
        model = copy.deepcopy(model)
    for name, kernel_and_bias in kernels.items():
        model.get_submodule(name).replace_branches(*kernel_and_bias)
    return model


class Foldable:
    """Adds the method by which MMDeploy folds a network; goes before its other bases."""

    def switch_to_deploy(self) -> None:
        """Switch to eval mode and fold every block in place; folding again changes nothing.

        MMDeploy calls this after loading the weights and before ``eval()``.
        """
        reparameterize(self.eval(), inplace=True)


def fold_norm(kernel: Tensor, bias: Tensor | float, norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """Fold a batch norm into the convolution before it.

    Args:
        kernel: Kernel of the convolution, (out_channels, in_channels / groups, k, k).
        bias: Its bias, (out_channels,), or 0.
        norm: The batch norm, whose running statistics are used.

    Returns:
        Kernel and bias (out_channels,) of convolution and norm together, both float64.
    """
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = (bias - norm.running_mean.double()) * scale
    if norm.affine:
        gamma, beta = norm.weight.double(), norm.bias.double()
        scale, shift = scale * gamma, shift * gamma + beta
    return kernel.double() * scale.reshape(-1, 1, 1, 1), shift


@torch.no_grad()
def _kernel_and_bias(name: str, block: FoldableBlock) -> tuple[Tensor, Tensor]:
    """Fold in float64, so that folding adds no rounding; return the block's dtype."""
    described = f"block {name!r}" if name else f"a {type(block).__name__}"
    training = [module for module, child in block.named_modules() if child.training]
    if training:
        raise RuntimeError(
            f"cannot fold {described} in training mode ({training[0] or 'the block itself'} is): "
            "its batch norms still depend on the batch; call .eval() on the model first"
        )
    exact = block.fold_branches()
    dtype = block.dense.weight.dtype
    kernel, bias = (part.to(dtype) for part in exact)
    if kernel.is_meta or (kernel.isfinite().all() and bias.isfinite().all()):
        return kernel, bias
    if all(part.isfinite().all() for part in exact):
        largest = max(part.abs().max().item() for part in exact)
        raise NonFiniteFoldError(
            f"cannot fold {described}: its folded weights reach {largest:.3g}, but {dtype} ends at "
            f"{torch.finfo(dtype).max:.3g}; fold the model in float32 (model.float())"
        )
    raise NonFiniteFoldError(
        f"cannot fold {described}: its folded weights are infinite or NaN, and so are weights or "
        "batch norm statistics of the checkpoint; use an earlier checkpoint"
    )
