"""Teacher and student as their configs describe them, in any width."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

BASES = dict(student="lwrnet", teacher="unetpp")


@pytest.fixture(scope="session")
def build_segmentor(repository) -> Callable[..., nn.Module]:
    """Function that builds the student or the teacher, 8 channels wide by default."""

    def build(
        network: str,
        segmentor: str = "FoldableEncoderDecoder",
        *,
        width: int | None = 8,
        backbone: dict | None = None,
        head: dict | None = None,
        **both,
    ) -> nn.Module:
        init_default_scope("mmseg")  # as a runner does
        config = Config.fromfile(repository / f"configs/_base_/models/{BASES[network]}.py").model
        config.type = segmentor
        if width is not None:
            both["base_channels"] = width
        config.backbone.update(both | (backbone or {}))
        config.decode_head.update(both | (head or {}))
        return MODELS.build(config)

    return build


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., tuple[Tensor, list[SegDataSample]]]:
    """Function that draws images and their ground truth."""

    def make(images: int = 2, height: int = 32, width: int = 48) -> tuple:
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(images, 3, height, width, generator=generator)
        samples = []
        for _ in range(images):
            shape = dict(img_shape=(height, width), ori_shape=(height, width))
            sample = SegDataSample(metainfo=shape)
            truth = torch.randint(0, 6, (1, height, width), generator=generator)
            sample.gt_sem_seg = PixelData(data=truth)
            samples.append(sample)
        return inputs, samples

    return make


@pytest.fixture(scope="session")
def count_parameters() -> Callable[[nn.Module], int]:
    """Function that counts a module's parameters."""
    return lambda module: sum(parameter.numel() for parameter in module.parameters())
