import pytest
import torch
from mmseg.registry import MODELS
from torch.nn import functional

from lwam_mm.models.losses.pixel_focal_loss import PixelFocalLoss


@pytest.fixture
def sample():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 4, 5, 6, generator=generator)
    label = torch.randint(0, 4, (2, 5, 6), generator=generator)
    label[0, :2] = 255
    return logits.requires_grad_(), label


def test_equals_the_formula_pixel_by_pixel(sample):
    logits, label = sample
    expected = []
    for scores, truth in zip(logits.movedim(1, -1).reshape(-1, 4), label.reshape(-1), strict=True):
        if truth != 255:
            p = scores.softmax(0)[truth]
            expected.append(-((1 - p) ** 1.5) * p.log())
    loss = MODELS.build(dict(type="PixelFocalLoss", gamma=1.5, loss_weight=2.0))(logits, label)
    torch.testing.assert_close(loss, 2 * torch.stack(expected).mean())


def test_gamma_0_is_cross_entropy_and_more_plays_sure_pixels_down(sample):
    logits, label = sample
    plain = functional.cross_entropy(logits, label, ignore_index=255)
    torch.testing.assert_close(PixelFocalLoss(gamma=0)(logits, label), plain)
    sure = torch.zeros(1, 2, 1, 1)
    sure[:, 0] = 5.0
    truth = torch.zeros(1, 1, 1, dtype=torch.int64)
    assert PixelFocalLoss(gamma=2)(sure, truth) < 1e-4 * PixelFocalLoss(gamma=0)(sure, truth)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gradient_is_finite_at_certainty_and_where_all_is_ignored(gamma):
    logits = torch.zeros(1, 2, 1, 2)
    logits[:, 0] = 200.0
    logits.requires_grad_()
    PixelFocalLoss(gamma)(logits, torch.zeros(1, 1, 2, dtype=torch.int64)).backward()
    assert logits.grad.isfinite().all()
    ignored = torch.full((1, 1, 2), 255)
    assert PixelFocalLoss(gamma)(logits, ignored) == 0


def test_weight_counts(sample):
    logits, label = sample
    weight = torch.full(label.shape, 3.0)
    loss = PixelFocalLoss()
    torch.testing.assert_close(loss(logits, label, weight), 3 * loss(logits, label))


def test_negative_gamma_is_refused():
    with pytest.raises(ValueError, match="gamma=-1"):
        PixelFocalLoss(-1)
