"""The student's decode head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.decode_heads.full_resolution_head import FullResolutionHead
from lwam_mm.models.reparam.build_block import block_type
from lwam_mm.models.reparam.fold import Foldable

_DOUBLINGS = 4


@MODELS.register_module()
class LWRHead(Foldable, FullResolutionHead):
    """Skip-free decoder of :class:`LWRNet`.

    Four upsampling steps, each a transposed 2x2 convolution that halves the channels and doubles
    the size, then a re-parameterizable block; finally a 1x1 classifier.

    Args:
        base_channels: The encoder's ``base_channels``, an even number; the input has 8 times as
            many channels.
        block: Type of the blocks, ``"RepConv"`` or ``"QARepConv"``, as in :class:`LWRNet`.
        with_1x1: Whether the blocks train with a 1x1 branch.
        with_identity: Whether the blocks train with an identity branch.
        norm_cfg: Batch norm of the branches, ``dict(type='BN')`` by default.
        deploy: Build the folded form, for folded checkpoints.
        init_cfg: Initialization config of mmengine; torch's defaults if None.
        **kwargs: Those of
            :class:`~lwam_mm.models.decode_heads.full_resolution_head.FullResolutionHead`.

    Raises:
        ValueError: ``base_channels`` is odd, or there is no such ``block``.
        OutputClassesError: ``out_channels`` is 1.
    """

    def __init__(
        self,
        base_channels: int = 64,
        block: str = "RepConv",
        with_1x1: bool = True,
        with_identity: bool = True,
        norm_cfg: dict | None = None,
        deploy: bool = False,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        if base_channels % 2:
            raise ValueError(
                f"base_channels={base_channels}: the decoder halves it; use an even one"
            )
        super().__init__(
            in_channels=8 * base_channels,
            channels=base_channels // 2,
            norm_cfg=norm_cfg,
            init_cfg=init_cfg,
            **kwargs,
        )
        self.upsamples, self.blocks = nn.ModuleList(), nn.ModuleList()
        make_block = block_type(block)
        channels = self.in_channels
        for _ in range(_DOUBLINGS):
            self.upsamples.append(nn.ConvTranspose2d(channels, channels // 2, 2, stride=2))
            channels //= 2
            self.blocks.append(
                make_block(
                    channels,
                    channels,
                    with_1x1=with_1x1,
                    with_identity=with_identity,
                    norm_cfg=norm_cfg,
                    deploy=deploy,
                )
            )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Decode the last of the encoder's features.

        Args:
            inputs: The features; the last is (N, 8 * base_channels, H / 16, W / 16).

        Returns:
            Logits (N, num_classes, H, W).
        """
        x = self._transform_inputs(inputs)
        for upsample, block in zip(self.upsamples, self.blocks, strict=True):
            x = block(upsample(x))
        return self.logits(self.cls_seg(x))
