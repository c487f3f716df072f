"""What the student's blocks have in common, and the folding of any module that holds some."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterator

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lwam_mm.models.reparam.point_conv import PointConv2d


class FoldableConv(BaseModule):
    """3x3 convolution that trains as summed branches and folds into one.

    Base of the blocks. It holds the convolutions of a 3x3 branch with a batch norm and of a 1x1
    branch, and knows whether there is an identity branch; a subclass says where the other batch
    norms are, in training (:meth:`sum_branches`) as in folding (:meth:`merge_branches`). The sum
    goes through a ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: stride of the block; the 3x3 branch pads by ``dilation``, so that an input of
            (H, W) gives (ceil(H / stride), ceil(W / stride)).
        dilation: spacing of the 3x3 kernel's taps.
        groups: groups of the 3x3 and of the 1x1 convolution.
        with_1x1: whether the 1x1 branch exists.
        with_identity: whether the identity branch exists where input and output agree in
            channels and size.
        norm_cfg: mmcv configuration of the norm layers; they must be batch norms with running
            statistics, since nothing else folds. Default ``dict(type='BN')``.
        deploy: builds the folded form, for checkpoints of a folded model.
        init_cfg: mmengine's initialisation configuration.

    Raises:
        TypeError: ``norm_cfg`` does not give batch norms.
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

    @abstractmethod
    def add_norms(self, make_norm: Callable[[], _BatchNorm]) -> None:
        """Add the batch norms beside that of the 3x3 branch; each call makes one."""

    @abstractmethod
    def sum_branches(self, x: Tensor) -> Tensor:
        """Give what goes into the ReLU, (N, out_channels, H', W'), of x (N, in_channels, H, W)."""

    @abstractmethod
    def merge_branches(self) -> tuple[Tensor, Tensor]:
        """Give float64 kernel and bias of one 3x3 convolution equal to :meth:`sum_branches`."""

    @property
    def is_folded(self) -> bool:
        """Whether the branches are one convolution."""
        return hasattr(self, "folded")

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        return self.activation(self.folded(x) if self.is_folded else self.sum_branches(x))

    @torch.no_grad()
    def equivalent_kernel_bias(self) -> tuple[Tensor, Tensor]:
        """Kernel and bias of the single convolution that computes what the branches compute.

        The branches are merged in float64, so that folding adds no rounding of its own.

        Returns:
            Kernel (out_channels, in_channels / groups, 3, 3) and bias (out_channels,), in the
            dtype and on the device of the block.
        """
        if self.is_folded:
            return self.folded.weight, self.folded.bias
        kernel, bias = self.merge_branches()
        dtype = self.conv3x3.weight.dtype
        return kernel.to(dtype), bias.to(dtype)

    def switch_to_deploy(self) -> None:
        """Fold the branches in place. Does nothing to a folded block.

        Raises:
            RuntimeError: a branch is in training mode, where its norm uses the batch's statistics
                and no convolution computes the same.
        """
        if self.is_folded:
            return
        training = [name for name, module in self.named_modules() if module.training]
        if training:
            raise RuntimeError(
                f"cannot fold a {type(self).__name__} in training mode "
                f"({training[0] or 'the block itself'} is): "
                "its batch norms still depend on the batch; call .eval() on the model first"
            )
        kernel, bias = self.equivalent_kernel_bias()
        conv = self.conv3x3
        with torch.device("meta"):
            folded = nn.Conv2d(
                conv.in_channels,
                conv.out_channels,
                kernel_size=conv.kernel_size,
                stride=conv.stride,
                padding=conv.padding,
                dilation=conv.dilation,
                groups=conv.groups,
                padding_mode=conv.padding_mode,
            )
        trainable = conv.weight.requires_grad
        folded.weight = nn.Parameter(kernel, requires_grad=trainable)
        folded.bias = nn.Parameter(bias, requires_grad=trainable)
        folded.eval()
        for name, _ in list(self.named_children()):
            if name != "activation":
                delattr(self, name)
        self.folded = folded

    def identity_kernel(self) -> Tensor:
        """Give the float64 3x3 kernel, shaped as the 3x3 branch's, that returns its input."""
        kernel = torch.zeros_like(self.conv3x3.weight, dtype=torch.float64)
        return nn.init.dirac_(kernel, groups=self.conv3x3.groups)

    def point_kernel(self) -> Tensor:
        """Give the 1x1 branch's kernel in float64, padded to 3x3."""
        return nn.functional.pad(self.conv1x1.weight.double(), (1, 1, 1, 1))

    def _batch_norm(self, norm_cfg: dict, channels: int) -> _BatchNorm:
        from mmcv.cnn import build_norm_layer

        norm = build_norm_layer(norm_cfg, channels)[1]
        if not isinstance(norm, _BatchNorm) or not norm.track_running_stats:
            raise TypeError(
                f"norm_cfg={norm_cfg!r} gives a {type(norm).__name__}, which cannot be folded; a "
                f"{type(self).__name__} needs a batch norm with running statistics, such as "
                "dict(type='BN') or dict(type='SyncBN')"
            )
        return norm


def reparameterize(model: nn.Module, inplace: bool = False) -> nn.Module:
    """Fold every :class:`FoldableConv` in ``model`` into a single 3x3 convolution.

    Folding again changes nothing. A model without such blocks comes back as it is (copied, unless
    ``inplace``).

    Args:
        model: any module, in eval mode.
        inplace: fold ``model`` itself instead of a deep copy of it.

    Returns:
        The folded model, which gives the same outputs up to floating-point rounding.

    Raises:
        RuntimeError: a block that is to be folded is in training mode; nothing was changed.
    """
    blocks = [(name, block) for name, block in _blocks(model) if not block.is_folded]
    for name, block in blocks:
        if any(module.training for module in block.modules()):
            raise RuntimeError(
                f"cannot fold a model in training mode (block {name or 'itself'!r} is): its batch "
                "norms still depend on the batch; call .eval() on the model first"
            )
    if not inplace:
        model = copy.deepcopy(model)
        blocks = list(_blocks(model))
    for _, block in blocks:
        block.switch_to_deploy()
    return model


def fold_norm(kernel: Tensor, bias: Tensor | float, norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """Take the batch norm behind a convolution into it.

    Args:
        kernel: (out_channels, in_channels / groups, k, k) of the convolution before the norm.
        bias: its bias (out_channels,), or 0.
        norm: the norm, whose running statistics are used.

    Returns:
        Kernel and bias (out_channels,) of convolution and norm together, both float64.
    """
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = (bias - norm.running_mean.double()) * scale
    if norm.affine:
        gamma, beta = norm.weight.double(), norm.bias.double()
        scale, shift = scale * gamma, shift * gamma + beta
    return kernel.double() * scale.reshape(-1, 1, 1, 1), shift


def _blocks(model: nn.Module) -> Iterator[tuple[str, FoldableConv]]:
    for name, module in model.named_modules():
        if isinstance(module, FoldableConv):
            yield name, module
