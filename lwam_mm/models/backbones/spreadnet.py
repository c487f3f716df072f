"""The encoder of SpreadNet, the fast net."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.input_size import STRIDE, require_multiple_of_stride
from lwam_mm.models.reparam.build_block import block_type
from lwam_mm.models.reparam.fold import Foldable
from lwam_mm.models.reparam.normed_conv import NormedConv


class StripPair(BaseModule):
    """Add to a feature what lies along its rows and columns, for defects that are lines.

    y = ReLU(x + k_column * ReLU(k_row * x)) with a 1xk and a kx1 convolution, each with batch
    norm, over half as many channels between the two. Strips serve lines at little cost: DSGNet,
    X-ULite.

    Args:
        channels: Channels of input and output, an even number.
        length: The length k of both, an odd number.
        norm_cfg: Batch norm of both, ``dict(type='BN')`` by default.
        deploy: Build the folded form, for folded checkpoints.
    """

    def __init__(
        self, channels: int, length: int, norm_cfg: dict | None = None, deploy: bool = False
    ) -> None:
        super().__init__()
        conv = partial(NormedConv, norm_cfg=norm_cfg, deploy=deploy)
        self.row = conv(channels, channels // 2, (1, length))
        self.column = conv(channels // 2, channels, (length, 1), activation=False)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        return self.activation(x + self.column(self.row(x)))


@MODELS.register_module()
class SpreadNet(Foldable, BaseModule):
    """Fast encoder with skips, for CPUs: plain convolutions at low resolution.

    Pixel-unshuffle turns the image into a small map with many channels and loses nothing, where a
    strided convolution would (SPD-Conv, arXiv 2208.03641). Then come stages of re-parameterizable
    blocks, each stage at half the size of the one before, down to 1/16, where a pair of strips
    looks far along rows and columns. After folding there are 3x3 and strip convolutions, ReLU, one
    addition and SpaceToDepth: nothing that a CPU is slow at in INT8, and no global pooling or
    attention, so a large image can be cut into tiles exactly.

    Args:
        in_channels: Channels of the image.
        unshuffle: Side of the pixel blocks that become channels: 2, 4 or 8. The first stage has
            1/2, 1/4 or 1/8 of the image's size.
        channels: Channels of each stage, from the first down to that at 1/16.
        depths: Blocks of each stage, 1 or more. The strips are after the first of the last stage.
        strip_length: Length of the strips, an odd number.
        block: Type of the blocks: ``"RepConv"`` or ``"QARepConv"``, which loses less accuracy in
            INT8.
        with_1x1: Whether the blocks train with a 1x1 branch.
        with_identity: Whether the blocks train with an identity branch.
        norm_cfg: Batch norm of the branches, ``dict(type='BN')`` by default.
        deploy: Build the folded form, for folded checkpoints.
        init_cfg: Initialization config of mmengine; torch's defaults if None.

    Raises:
        ValueError: The stages do not end at 1/16, a depth is below 1, or there is no such
            ``block``.

    Example:
        >>> import torch
        >>> from lwam_mm.models import SpreadNet
        >>> encoder = SpreadNet(unshuffle=4, channels=(8, 16, 32), depths=(1, 1, 2))
        >>> [tuple(feature.shape) for feature in encoder(torch.zeros(1, 3, 64, 96))]
        [(1, 8, 16, 24), (1, 16, 8, 12), (1, 32, 4, 6)]
    """

    def __init__(
        self,
        in_channels: int = 3,
        unshuffle: int = 4,
        channels: Sequence[int] = (32, 64, 128),
        depths: Sequence[int] = (2, 3, 3),
        strip_length: int = 9,
        block: str = "RepConv",
        with_1x1: bool = True,
        with_identity: bool = True,
        norm_cfg: dict | None = None,
        deploy: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not (len(channels) == len(depths) and min(depths, default=0) >= 1):
            raise ValueError(
                f"channels={channels!r}, depths={depths!r}: give each stage its channels and at "
                "least one block"
            )
        if unshuffle * 2 ** (len(channels) - 1) != STRIDE:
            raise ValueError(
                f"unshuffle={unshuffle} and {len(channels)} stages end at "
                f"1/{unshuffle * 2 ** (len(channels) - 1)} of the image's size: let them end at "
                f"1/{STRIDE}, for instance unshuffle=4 with 3 stages"
            )
        make_block = partial(
            block_type(block),
            with_1x1=with_1x1,
            with_identity=with_identity,
            norm_cfg=norm_cfg,
            deploy=deploy,
        )
        self.unshuffle = nn.PixelUnshuffle(unshuffle)
        self.stages = nn.ModuleList()
        width = in_channels * unshuffle**2
        for index, (out_channels, depth) in enumerate(zip(channels, depths, strict=True)):
            stage = nn.Sequential(make_block(width, out_channels, stride=1 if index == 0 else 2))
            if index == len(channels) - 1:
                stage.append(StripPair(out_channels, strip_length, norm_cfg, deploy))
            for _ in range(depth - 1):
                stage.append(make_block(out_channels, out_channels))
            self.stages.append(stage)
            width = out_channels

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Encode images.

        Args:
            x: Normalized images, (N, in_channels, H, W), H and W multiples of 16.

        Returns:
            All stages; the k-th is (N, channels[k], H / s, W / s) with s = unshuffle * 2**k.

        Raises:
            ValueError: H or W is not a multiple of 16.
        """
        require_multiple_of_stride(x)
        x = self.unshuffle(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return tuple(features)
