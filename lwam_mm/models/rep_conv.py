"""The re-parameterizable block of the student, and the folding of any module that holds some."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class RepConv(BaseModule):
    """3x3 convolution that trains as three summed branches and folds into one.

    The block of RepVGG (Ding et al. 2021, arXiv 2101.03697), which LWAM's student is made of. In
    training: 3x3 conv + BN, 1x1 conv + BN and, where input and output agree in channels and
    size, BN alone; the sum goes through a ReLU. All three are linear, so :meth:`switch_to_deploy`
    replaces them by a single 3x3 convolution with bias that computes the same.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: stride of the block; the 3x3 branch pads by ``dilation``, so that an input of
            (H, W) gives (ceil(H / stride), ceil(W / stride)).
        dilation: spacing of the 3x3 kernel's taps.
        groups: groups of the 3x3 and of the 1x1 convolution.
        with_1x1: whether the 1x1 branch exists.
        with_identity: whether the identity branch exists where the shapes permit it.
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
        self.conv3x3 = nn.Conv2d(in_channels, out_channels, bias=False, **padded)
        self.norm3x3 = _batch_norm(norm_cfg, out_channels)
        if with_1x1:
            self.conv1x1 = nn.Conv2d(in_channels, out_channels, 1, bias=False, **geometry)
            self.norm1x1 = _batch_norm(norm_cfg, out_channels)
        if with_identity and in_channels == out_channels and stride == 1:
            self.norm_identity = _batch_norm(norm_cfg, out_channels)

    @property
    def is_folded(self) -> bool:
        """Whether the branches are one convolution."""
        return hasattr(self, "folded")

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        if self.is_folded:
            return self.activation(self.folded(x))
        y = self.norm3x3(self.conv3x3(x))
        if hasattr(self, "conv1x1"):
            y = y + self.norm1x1(self.conv1x1(x))
        if hasattr(self, "norm_identity"):
            y = y + self.norm_identity(x)
        return self.activation(y)

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
        kernel, bias = _fold_norm(self.conv3x3.weight, self.norm3x3)
        if hasattr(self, "conv1x1"):
            point, point_bias = _fold_norm(self.conv1x1.weight, self.norm1x1)
            kernel += nn.functional.pad(point, (1, 1, 1, 1))
            bias += point_bias
        if hasattr(self, "norm_identity"):
            identity, identity_bias = _fold_norm(self._identity_kernel(), self.norm_identity)
            kernel += identity
            bias += identity_bias
        weight = self.conv3x3.weight
        return kernel.to(weight.dtype), bias.to(weight.dtype)

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
                f"cannot fold a RepConv in training mode ({training[0] or 'the block itself'} is): "
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
        for name in ("conv3x3", "norm3x3", "conv1x1", "norm1x1", "norm_identity"):
            if hasattr(self, name):
                delattr(self, name)
        self.folded = folded

    def _identity_kernel(self) -> Tensor:
        """Give the kernel that returns its input: (out_channels, in_channels / groups, 3, 3)."""
        kernel = torch.zeros_like(self.conv3x3.weight)
        nn.init.dirac_(kernel, groups=self.conv3x3.groups)
        return kernel


def reparameterize(model: nn.Module, inplace: bool = False) -> nn.Module:
    """Fold every :class:`RepConv` in ``model`` into a single 3x3 convolution.

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


def _blocks(model: nn.Module) -> Iterator[tuple[str, RepConv]]:
    for name, module in model.named_modules():
        if isinstance(module, RepConv):
            yield name, module


def _batch_norm(norm_cfg: dict, channels: int) -> nn.Module:
    from mmcv.cnn import build_norm_layer

    norm = build_norm_layer(norm_cfg, channels)[1]
    if not isinstance(norm, _BatchNorm) or not norm.track_running_stats:
        raise TypeError(
            f"norm_cfg={norm_cfg!r} gives a {type(norm).__name__}, which cannot be folded; a "
            "RepConv needs a batch norm with running statistics, such as dict(type='BN') or "
            "dict(type='SyncBN')"
        )
    return norm


def _fold_norm(kernel: Tensor, norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """Scale ``kernel`` by a batch norm's affine map; return it and the bias, both float64."""
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = -norm.running_mean.double() * scale
    if norm.affine:
        gamma, beta = norm.weight.double(), norm.bias.double()
        scale, shift = scale * gamma, shift * gamma + beta
    return kernel.double() * scale.reshape(-1, 1, 1, 1), shift
