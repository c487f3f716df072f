"""The teacher's decode head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.backbones.unetpp import INIT_CFG
from lwam_mm.models.decode_heads.full_resolution_head import FullResolutionHead

_DEPTH = 4


def _decoder_nodes() -> Iterator[tuple[int, int]]:
    """Yield level and column (i, j) of the nodes X_ij in the order of their computation."""
    for column in range(1, _DEPTH + 1):
        for level in range(_DEPTH + 1 - column):
            yield level, column


@MODELS.register_module()
class UNetPlusPlusHead(FullResolutionHead):
    """Nested decoder of UNet++: the nodes X_ij, j > 0 (Zhou et al. 2018, arXiv 1807.10165).

    X_ij concatenates X_(i+1)(j-1), doubled in size by a transposed 2x2 convolution, and X_i0 to
    X_i(j-1). Two 3x3 convolutions with ReLU follow, without batch norm, as released.

    Args:
        base_channels: Width of X_0j; X_ij has 2**i times as many channels.
        deep_supervision: Whether the logits are the mean of four classifiers, on X_01 to X_04, as
            released; otherwise they are those of X_04 alone.
        init_cfg: Initialization config of mmengine; as released by default.
        in_channels: Channels of the encoder's X_00 to X_40; those of ``UNetPlusPlus``, the
            decoder's widths, by default.
        **kwargs: Those of
            :class:`~lwam_mm.models.decode_heads.full_resolution_head.FullResolutionHead`.

    Raises:
        OutputClassesError: ``out_channels`` is 1.
        ValueError: ``in_channels`` are not five numbers.
    """

    def __init__(
        self,
        base_channels: int = 32,
        deep_supervision: bool = True,
        init_cfg: dict | list[dict] | None = INIT_CFG,
        in_channels: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        widths = [base_channels * 2**level for level in range(_DEPTH + 1)]
        encoded = list(widths if in_channels is None else in_channels)
        if len(encoded) != _DEPTH + 1:
            raise ValueError(
                f"in_channels={in_channels!r}: give the channels of X_00 to X_40, five numbers"
            )
        super().__init__(
            in_channels=encoded,
            channels=base_channels,
            in_index=list(range(_DEPTH + 1)),
            input_transform="multiple_select",
            init_cfg=init_cfg,
            **kwargs,
        )
        self.upsamples, self.nodes = nn.ModuleDict(), nn.ModuleDict()
        for level, column in _decoder_nodes():
            name, width = f"x_{level}{column}", widths[level]
            below = encoded[level + 1] if column == 1 else widths[level + 1]
            self.upsamples[name] = nn.ConvTranspose2d(below, width, 2, stride=2)
            self.nodes[name] = nn.Sequential(
                nn.Conv2d(encoded[level] + column * width, width, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(inplace=True),
            )
        # conv_seg of the base class classifies X_04, these the columns before it.
        self.side_classifiers = nn.ModuleDict(
            {
                f"x_0{column}": nn.Conv2d(base_channels, self.out_channels, 1)
                for column in range(1, _DEPTH)
                if deep_supervision
            }
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Decode the encoder's features.

        Args:
            inputs: X_00 to X_40; X_i0 is (N, in_channels[i], H / 2**i, W / 2**i).

        Returns:
            Logits (N, num_classes, H, W).
        """
        x = {(level, 0): feature for level, feature in enumerate(self._transform_inputs(inputs))}
        for level, column in _decoder_nodes():
            name = f"x_{level}{column}"
            upsampled = self.upsamples[name](x[level + 1, column - 1])
            row = [x[level, earlier] for earlier in range(column)]
            x[level, column] = self.nodes[name](torch.cat([upsampled, *row], dim=1))
        logits = self.cls_seg(x[0, _DEPTH])
        if self.side_classifiers:
            for column, classifier in enumerate(self.side_classifiers.values(), start=1):
                logits = logits + classifier(x[0, column])
            logits = logits / _DEPTH
        return self.logits(logits)
