"""The block of EfficientNet-Lite, with TensorFlow's padding."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

# TensorFlow's, with which the published weights were trained; torch's default is 1e-5.
_EPS = 1e-3


class SamePaddedConv(nn.Sequential):
    """Convolution without bias, batch norm and ReLU6, padded as TensorFlow pads ("SAME").

    At stride 2 TensorFlow pads the right and the bottom by one pixel more than the left and the
    top. Torch's symmetric padding would shift what the trained kernels look at by a pixel.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the output.
        kernel_size: Side of the kernel, an odd number.
        stride: 1, or 2 for inputs of even height and width.
        groups: Groups of the convolution; ``in_channels`` makes it depthwise.
        activation: Whether ReLU6 follows.
        norm_cfg: Batch norm, ``dict(type='BN')`` by default; its ``eps`` is 1e-3.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: bool = True,
        norm_cfg: dict | None = None,
    ) -> None:
        from mmcv.cnn import build_norm_layer

        super().__init__()
        before, after = (kernel_size - stride) // 2, (kernel_size - 1) // 2
        if before != after:
            self.add_module("pad", nn.ZeroPad2d((before, after, before, after)))
        conv = partial(nn.Conv2d, in_channels, channels, kernel_size, stride, bias=False)
        self.conv = conv(padding=before if before == after else 0, groups=groups)
        self.norm = build_norm_layer((norm_cfg or dict(type="BN")) | dict(eps=_EPS), channels)[1]
        if activation:
            self.relu = nn.ReLU6(inplace=True)


class InvertedResidual(nn.Module):
    """Widen, convolve each channel by itself, narrow (Sandler et al. 2018, arXiv 1801.04381).

    Without squeeze-and-excitation, and with ReLU6, as EfficientNet-Lite has it. The input is added
    where the output has its shape. The output has no activation.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the output.
        kernel_size: Side of the depthwise kernel, an odd number.
        stride: 1, or 2 for inputs of even height and width.
        expansion: How many times wider the middle is; 1 leaves the first convolution out.
        norm_cfg: Batch norm, ``dict(type='BN')`` by default; its ``eps`` is 1e-3.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int,
        stride: int,
        expansion: int,
        norm_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        conv = partial(SamePaddedConv, norm_cfg=norm_cfg)
        middle = in_channels * expansion
        self.adds_input = stride == 1 and in_channels == channels
        self.expand = conv(in_channels, middle) if expansion > 1 else nn.Identity()
        self.depthwise = conv(middle, middle, kernel_size, stride=stride, groups=middle)
        self.project = conv(middle, channels, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.adds_input else y
