"""1x1 convolution that looks only at the pixels which its stride keeps."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class PointConv2d(nn.Conv2d):
    """``nn.Conv2d`` with a 1x1 kernel; its stride is taken before the convolution.

    That is the same, and safe: torch 2.13's backward pass of a strided 1x1 convolution writes
    outside of its memory on processors where the layout is channels-last and there are few
    channels (8 to 8 of 64x64 pixels, say), which ends the process some time later.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: every how many pixels, in both directions.
        groups: groups of the convolution.
        bias: whether there is a bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, 1, stride=stride, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        down, across = self.stride
        if (down, across) != (1, 1):
            x = x[:, :, ::down, ::across]
        return functional.conv2d(x, self.weight, self.bias, groups=self.groups)
