"""The decode head of SpreadNet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.decode_heads.full_resolution_head import FullResolutionHead
from lwam_mm.models.reparam.build_block import block_type
from lwam_mm.models.reparam.fold import Foldable
from lwam_mm.models.reparam.normed_conv import NormedConv


@MODELS.register_module()
class SpreadHead(Foldable, FullResolutionHead):
    """Decoder of :class:`SpreadNet` with a skip at every size.

    From the deepest stage up: a 1x1 convolution to four times the channels of the next stage,
    pixel-shuffle by 2, that stage's feature added, a re-parameterizable block. Finally a 1x1
    classifier with a logit for each class and pixel of a block, and pixel-shuffle to the image's
    size. Adding moves less memory than concatenating, and the 1x1 convolutions run in INT8 where
    transposed ones do not.

    Args:
        in_channels: The encoder's ``channels``.
        unshuffle: The encoder's ``unshuffle``.
        block: Type of the blocks, ``"RepConv"`` or ``"QARepConv"``, as in :class:`SpreadNet`.
        with_1x1: Whether the blocks train with a 1x1 branch.
        with_identity: Whether the blocks train with an identity branch.
        norm_cfg: Batch norm of the branches, ``dict(type='BN')`` by default.
        deploy: Build the folded form, for folded checkpoints.
        init_cfg: Initialization config of mmengine; torch's defaults if None.
        **kwargs: Those of
            :class:`~lwam_mm.models.decode_heads.full_resolution_head.FullResolutionHead`.

    Raises:
        ValueError: There is no such ``block``.
        OutputClassesError: ``out_channels`` is 1.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (32, 64, 128),
        unshuffle: int = 4,
        block: str = "RepConv",
        with_1x1: bool = True,
        with_identity: bool = True,
        norm_cfg: dict | None = None,
        deploy: bool = False,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            in_channels=list(in_channels),
            channels=in_channels[0],
            in_index=list(range(len(in_channels))),
            input_transform="multiple_select",
            norm_cfg=norm_cfg,
            init_cfg=init_cfg,
            **kwargs,
        )
        make_block = partial(
            block_type(block),
            with_1x1=with_1x1,
            with_identity=with_identity,
            norm_cfg=norm_cfg,
            deploy=deploy,
        )
        self.upsamples, self.blocks = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(in_channels) - 1)):
            deep, width = in_channels[level + 1], in_channels[level]
            self.upsamples.append(
                nn.Sequential(
                    NormedConv(deep, 4 * width, activation=False, norm_cfg=norm_cfg, deploy=deploy),
                    nn.PixelShuffle(2),
                )
            )
            self.blocks.append(make_block(width, width))
        self.conv_seg = nn.Conv2d(self.channels, self.out_channels * unshuffle**2, 1)
        self.shuffle = nn.PixelShuffle(unshuffle)

    def init_weights(self) -> None:
        """Initialize by ``init_cfg``; with ``repeat_pixels``, a block's logits then start equal."""
        super().init_weights()
        if self.repeat_pixels:
            for parameter in self.conv_seg.parameters():
                blocks = parameter.data.unflatten(0, (self.out_channels, -1))
                blocks.copy_(blocks[:, :1].expand_as(blocks).clone())

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Decode the encoder's features.

        Args:
            inputs: The stages of :class:`SpreadNet`, the first (N, in_channels[0], H / unshuffle,
                W / unshuffle).

        Returns:
            Logits (N, num_classes, H, W).
        """
        *skips, x = self._transform_inputs(inputs)
        for upsample, block, skip in zip(self.upsamples, self.blocks, reversed(skips), strict=True):
            x = block(upsample(x) + skip)
        return self.logits(self.shuffle(self.cls_seg(x)))
