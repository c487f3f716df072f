from __future__ import annotations

import pytest
import torch

from lwam_mm.models.losses.batch_dice_loss import BatchDiceLoss
from lwam_mm.models.losses.float32 import at_least_float32
from lwam_mm.models.losses.logit_divergences import ChannelWiseLoss, PixelKLLoss
from lwam_mm.models.losses.pixel_dist_loss import PixelDISTLoss
from lwam_mm.models.losses.pixel_focal_loss import PixelFocalLoss
from lwam_mm.models.losses.weighted_cross_entropy_loss import WeightedCrossEntropyLoss

DISTILLED = [
    PixelDISTLoss(),
    PixelDISTLoss(resoften_teacher=True),
    PixelKLLoss(),
    ChannelWiseLoss(),
]
LABELLED = [WeightedCrossEntropyLoss([0.1, 5.0, 1.0, 4.0]), BatchDiceLoss(), PixelFocalLoss()]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_is_left_and_more_is_kept(given, expected):
    assert at_least_float32(torch.ones(2, dtype=given)).dtype == expected


@pytest.mark.parametrize("loss", [*DISTILLED, *LABELLED], ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_loss_of_half_precision_is_computed_in_float32(loss, dtype):
    """As under mixed precision: what was rounded is the input, and nothing else."""
    generator = torch.Generator().manual_seed(0)
    logits, teacher = (3 * torch.randn(2, 2, 4, 64, 64, generator=generator)).to(dtype)
    labels = torch.randint(0, 4, (2, 64, 64), generator=generator)
    compared = (teacher,) if loss in DISTILLED else (labels,)
    found = loss(logits, *compared)
    assert found.dtype == torch.float32
    expected = loss(logits.float(), *(c.float() if c is teacher else c for c in compared))
    assert torch.equal(found, expected)
