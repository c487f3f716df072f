"""The student's encoder."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.input_size import require_multiple_of_stride
from lwam_mm.models.reparam.build_block import block_type
from lwam_mm.models.reparam.fold import Foldable

# Blocks of each stage as (multiple of base_channels, stride).
_STAGES = (
    ((1, 1),),
    ((1, 2),),
    ((2, 2),),
    ((4, 2), (4, 1)),
    ((8, 2),),
)


@MODELS.register_module()
class LWRNet(Foldable, BaseModule):
    """Light encoder of six re-parameterizable blocks without skips.

    Five stages at 1, 1/2, 1/4, 1/8 and 1/16 of the input's size, with 1, 1, 2, 4 and 8 times
    ``base_channels`` channels. Distillation compares the last one with the teacher's feature; its
    recorder's source is ``backbone.stage4``.

    Args:
        in_channels: Channels of the image.
        base_channels: Width of the first stage; the released student has 64.
        out_indices: The stages to return, 0 to 4 in ascending order.
        block: Type of the blocks: ``"RepConv"``, as released, or ``"QARepConv"``, which loses less
            accuracy in INT8.
        with_1x1: Whether the blocks train with a 1x1 branch.
        with_identity: Whether the blocks train with an identity branch.
        norm_cfg: Batch norm of the branches, ``dict(type='BN')`` by default.
        deploy: Build the folded form, for folded checkpoints.
        init_cfg: Initialization config of mmengine; torch's defaults if None.

    Raises:
        ValueError: ``out_indices`` is empty or names a stage that does not exist, or there is no
            such ``block``.

    Example:
        >>> import torch
        >>> from lwam_mm.models import LWRNet
        >>> encoder = LWRNet(base_channels=16, out_indices=(0, 4))
        >>> [tuple(feature.shape) for feature in encoder(torch.zeros(1, 3, 64, 96))]
        [(1, 16, 64, 96), (1, 128, 4, 6)]
    """

    def __init__(
        self,
        in_channels: int = 3,
        base_channels: int = 64,
        out_indices: Sequence[int] = (4,),
        block: str = "RepConv",
        with_1x1: bool = True,
        with_identity: bool = True,
        norm_cfg: dict | None = None,
        deploy: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.out_indices = tuple(out_indices)
        existing = set(out_indices) & set(range(len(_STAGES)))
        if not existing or self.out_indices != tuple(sorted(existing)):
            raise ValueError(
                f"out_indices={out_indices!r}: name some of the stages 0 to 4, in ascending order"
            )
        make_block = block_type(block)
        for index, blocks in enumerate(_STAGES):
            stage = nn.Sequential()
            for multiple, stride in blocks:
                out_channels = multiple * base_channels
                stage.append(
                    make_block(
                        in_channels,
                        out_channels,
                        stride,
                        with_1x1=with_1x1,
                        with_identity=with_identity,
                        norm_cfg=norm_cfg,
                        deploy=deploy,
                    )
                )
                in_channels = out_channels
            self.add_module(f"stage{index}", stage)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Encode images.

        Args:
            x: Normalized images, (N, in_channels, H, W), H and W multiples of 16.

        Returns:
            The stages in ``out_indices``; stage k is (N, c_k, H / 2**k, W / 2**k).

        Raises:
            ValueError: H or W is not a multiple of 16.
        """
        require_multiple_of_stride(x)
        features = []
        for index in range(len(_STAGES)):
            x = self.get_submodule(f"stage{index}")(x)
            if index in self.out_indices:
                features.append(x)
        return tuple(features)
