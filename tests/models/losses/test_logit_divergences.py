"""PixelKLLoss and ChannelWiseLoss against MMRazor's, where these work."""

import pytest
import torch
from mmrazor.models.losses import ChannelWiseDivergence, KLDivergence
from mmseg.registry import MODELS

from lwam_mm.models.losses.logit_divergences import ChannelWiseLoss, PixelKLLoss


@pytest.fixture
def logits():
    generator = torch.Generator().manual_seed(0)
    student, teacher = (3 * torch.randn(2, 4, 5, 6, generator=generator) for _ in range(2))
    return student.requires_grad_(), teacher.requires_grad_()


def test_kl_is_the_mean_over_pixels(logits):
    loss = MODELS.build(dict(type="PixelKLLoss", tau=3.0, loss_weight=0.5))(*logits)
    theirs = KLDivergence(tau=3.0, reduction="batchmean", loss_weight=0.5)(*logits)
    torch.testing.assert_close(loss, theirs / 30)


def test_channel_wise_equals_mmrazors(logits):
    loss = MODELS.build(dict(type="ChannelWiseLoss", tau=3.0, loss_weight=0.5))(*logits)
    torch.testing.assert_close(loss, ChannelWiseDivergence(tau=3.0, loss_weight=0.5)(*logits))


@pytest.mark.parametrize("kind", [PixelKLLoss, ChannelWiseLoss])
def test_layout_and_precision_change_nothing(logits, kind):
    student, teacher = logits
    plain = kind(4.0)(student, teacher)
    last = kind(4.0)(*(x.to(memory_format=torch.channels_last) for x in logits))
    torch.testing.assert_close(last, plain)
    half = kind(4.0)(student.bfloat16(), teacher.bfloat16())
    assert half.dtype == torch.float32
    plain.backward()
    assert student.grad.abs().max() > 0
    assert teacher.grad is None


@pytest.mark.parametrize("kind", [PixelKLLoss, ChannelWiseLoss])
def test_temperature_is_greater_than_0(kind):
    with pytest.raises(ValueError, match="tau=0"):
        kind(0)


@pytest.mark.parametrize("kind", [PixelKLLoss, ChannelWiseLoss])
@pytest.mark.parametrize("shape", [(2, 1, 5, 6), (1, 4, 5, 6), (2, 4, 5, 1), (2, 4, 6, 5)])
def test_other_shapes_are_refused(kind, shape):
    """Torch would broadcast the first three."""
    with pytest.raises(ValueError, match=r"\(2, 4, 5, 6\).*same classes and size"):
        kind()(torch.zeros(2, 4, 5, 6), torch.zeros(shape))


@pytest.mark.parametrize("kind", [PixelKLLoss, ChannelWiseLoss])
def test_temperature_is_1_by_default(logits, kind):
    assert torch.equal(kind()(*logits), kind(tau=1.0, loss_weight=1.0)(*logits))
