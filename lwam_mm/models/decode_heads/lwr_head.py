"""The student's decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.decode_heads.full_resolution_head import FullResolutionHead
from lwam_mm.models.icnr import begin_as_repetition
from lwam_mm.models.reparam.build_block import block_named
from lwam_mm.models.reparam.fold import reparameterize

_DOUBLINGS = 4


@MODELS.register_module()
class LWRHead(FullResolutionHead):
    """Skip-free decoder of :class:`LWRNet`.

    Four times a transposed 2x2 convolution that halves the channels and doubles the size, then a
    re-parameterizable block; at last a 1x1 classifier.

    Args:
        base_channels: the encoder's ``base_channels``; the input then has 8 times as many
            channels. An even number.
        block: kind of the blocks, ``"RepConv"`` or ``"QARepConv"``, as in :class:`LWRNet`.
        with_1x1: whether the blocks train with a 1x1 branch.
        with_identity: whether the blocks train with an identity branch.
        norm_cfg: batch norm of the branches, ``dict(type='BN')`` by default.
        repeat_pixels: whether the transposed convolutions begin as ones that repeat each pixel,
            see :func:`~lwam_mm.models.icnr.begin_as_repetition`; as released, they do
            not.
        deploy: builds the folded form, for folded checkpoints.
        init_cfg: mmengine's initialisation configuration; torch's defaults if None.
        **kwargs: of mmseg's ``BaseDecodeHead``: ``num_classes``, ``loss_decode``, ``sampler``,
            ``ignore_index``, ``dropout_ratio`` (0 by default, as released), ...

    Raises:
        ValueError: ``base_channels`` is odd; there is no such ``block``.
    """

    def __init__(
        self,
        base_channels: int = 64,
        block: str = "RepConv",
        with_1x1: bool = True,
        with_identity: bool = True,
        norm_cfg: dict | None = None,
        repeat_pixels: bool = True,
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
        self.repeat_pixels = repeat_pixels
        self.upsamples, self.blocks = nn.ModuleList(), nn.ModuleList()
        make_block = block_named(block)
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

    def init_weights(self) -> None:
        """Initialise by ``init_cfg``, then the transposed convolutions as described above."""
        super().init_weights()
        if self.repeat_pixels:
            begin_as_repetition(self.upsamples)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Decode the encoder's features, of which only the last is used.

        Args:
            inputs: the last of them (N, 8 * base_channels, H / 16, W / 16).

        Returns:
            Logits (N, num_classes, H, W).
        """
        x = self._transform_inputs(inputs)
        for upsample, block in zip(self.upsamples, self.blocks, strict=True):
            x = block(upsample(x))
        return self.logits(self.cls_seg(x))

    def switch_to_deploy(self) -> None:
        """Go into eval mode and fold every block in place; folding again changes nothing.

        MMDeploy calls this between loading and ``eval()``, hence the first half.
        """
        reparameterize(self.eval(), inplace=True)
