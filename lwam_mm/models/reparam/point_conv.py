"""1x1 convolution that applies its stride first."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class PointConv2d(nn.Conv2d):
    """``nn.Conv2d`` with a 1x1 kernel that drops pixels by its stride before it convolves.

    The result is the same, and safe: on CPUs, torch 2.13's backward pass of a strided 1x1
    convolution writes outside its memory if the layout is channels-last and there are few channels
    (for instance 8 to 8 at 64x64 pixels). The process crashes some time later.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride in both directions.
        groups: Groups of the convolution.
        bias: Whether there is a bias.
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
