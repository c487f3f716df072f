from __future__ import annotations

import numpy as np
import pytest
import torch
from mmrazor.models.losses import KLDivergence, L2Loss

from lwam_mm.models.losses.pixel_dist_loss import PixelDISTLoss


@pytest.fixture(scope="module")
def reference(reference_folder):
    """The authors' losses and what they were computed from."""
    arrays = np.load(reference_folder / "kd_losses.npz")
    return {name: torch.from_numpy(np.asarray(arrays[name])) for name in arrays}


def test_paper_form(reference):
    logits = reference["logits_s"].clone().requires_grad_()
    loss = PixelDISTLoss(tau=4)(logits, reference["logits_t"])
    assert loss.item() == pytest.approx(reference["dist_paper"].item(), abs=1e-6)
    loss.backward()
    np.testing.assert_allclose(logits.grad, reference["grad_dist_paper"], atol=1e-7, rtol=0)


def test_paper_form_is_the_default(reference):
    loss = PixelDISTLoss()(reference["logits_s"], reference["logits_t"])
    assert loss.item() == pytest.approx(reference["dist_paper"].item(), abs=1e-6)


def test_as_released_form(reference):
    loss = PixelDISTLoss(tau=4, resoften_teacher=True)(reference["logits_s"], reference["logits_t"])
    assert loss.item() == pytest.approx(reference["dist_as_released"].item(), abs=1e-6)


def test_temperature_of_one(reference):
    loss = PixelDISTLoss(tau=1)(reference["logits_s"], reference["logits_t"])
    assert loss.item() == pytest.approx(reference["dist_tau1"].item(), abs=1e-6)


def test_sum_as_released(reference):
    """MMRazor's own losses, as our configs set them, complete the released sum."""
    ce = torch.nn.functional.cross_entropy(
        reference["logits_s"], reference["labels"], ignore_index=255
    )
    mse = L2Loss(normalize=False, div_element=True, loss_weight=4.0)
    dist = PixelDISTLoss(tau=4, loss_weight=2.0, resoften_teacher=True)
    total = (
        ce
        + mse(reference["feature_s"], reference["feature_t"])
        + dist(reference["logits_s"], reference["logits_t"])
    )
    assert ce.item() == pytest.approx(reference["ce"].item(), abs=1e-6)
    assert total.item() == pytest.approx(reference["total_as_released"].item(), abs=1e-5)


def test_kl_as_released(reference):
    """MMRazor multiplies by the temperature's square, the released code does not."""
    kl = KLDivergence(tau=4, reduction="mean", loss_weight=1 / 16)
    loss = kl(reference["logits_s"], reference["logits_t"])
    assert loss.item() == pytest.approx(reference["kl"].item(), abs=1e-6)


def test_one_image_gives_a_gradient():
    """Where MMRazor's DISTLoss, whose rows are images, gives none from its intra term."""
    student = torch.randn(1, 4, 6, 5, requires_grad=True)
    PixelDISTLoss(inter_loss_weight=0)(student, torch.randn(1, 4, 6, 5)).backward()
    assert student.grad.abs().max() > 0


def test_agreement_costs_nothing_and_teacher_gets_no_gradient():
    student = torch.randn(2, 4, 6, 5, requires_grad=True)
    teacher = student.detach().clone().requires_grad_()
    loss = PixelDISTLoss()(student, teacher)
    assert loss.item() == pytest.approx(0, abs=1e-5)
    loss.backward()
    assert teacher.grad is None


def test_channels_last_gives_the_same():
    s, t = torch.randn(2, 4, 6, 5), torch.randn(2, 4, 6, 5)
    loss = PixelDISTLoss()
    last = loss(s.to(memory_format=torch.channels_last), t.to(memory_format=torch.channels_last))
    assert last.item() == pytest.approx(loss(s, t).item(), abs=1e-6)


def test_refusals():
    with pytest.raises(ValueError, match="tau=0"):
        PixelDISTLoss(tau=0)
    with pytest.raises(ValueError, match="same classes and size"):
        PixelDISTLoss()(torch.zeros(1, 4, 2, 2), torch.zeros(1, 5, 2, 2))
