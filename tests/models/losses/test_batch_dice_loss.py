from __future__ import annotations

import pytest
import torch

from lwam_mm.models.losses.batch_dice_loss import BatchDiceLoss


def logits_of(labels: torch.Tensor, classes: int = 3, height: float = 50.0) -> torch.Tensor:
    return height * torch.nn.functional.one_hot(labels, classes).movedim(-1, 1).float()


@pytest.fixture
def labels():
    labels = torch.zeros(2, 8, 8, dtype=torch.int64)
    labels[0, 2:4, 2:4] = 1
    labels[1, 5, 5] = 2
    return labels


def test_by_hand():
    """Two pixels, both half sure: Dice of the class that is there is (2 + 1) / (2 + 1 + 1)."""
    loss = BatchDiceLoss()(torch.zeros(1, 2, 1, 2), torch.zeros(1, 1, 2, dtype=torch.int64))
    torch.testing.assert_close(loss, torch.tensor(0.25))


def test_right_costs_nothing_and_wrong_nearly_all(labels):
    assert BatchDiceLoss()(logits_of(labels), labels) < 1e-6
    assert BatchDiceLoss()(logits_of((labels + 1) % 3), labels) > 0.7


def test_every_class_counts_the_same(labels):
    """To miss four pixels of class 1 costs a third, less what the background loses by it."""
    missed = torch.where(labels == 1, 0, labels)
    expected = (1 - 1 / 5) / 3 + (1 - (2 * 123 + 1) / (123 + 127 + 1)) / 3
    torch.testing.assert_close(
        BatchDiceLoss(loss_weight=2.0)(logits_of(missed), labels), torch.tensor(2 * expected)
    )


def test_a_class_that_is_not_there_is_left_out(labels):
    labels = torch.where(labels == 2, 0, labels)
    assert BatchDiceLoss()(logits_of(labels), labels) < 1e-6


def test_ignored_pixels_do_not_count(labels):
    wrong = logits_of(torch.where(labels == 1, 2, labels))
    ignored = torch.where(labels == 1, 255, labels)
    assert BatchDiceLoss()(wrong, ignored) < 1e-6
    assert BatchDiceLoss()(wrong, labels, weight=(labels != 1).float()) < 1e-6
    nothing = BatchDiceLoss()(wrong.requires_grad_(), torch.full_like(labels, 255))
    assert nothing.item() == 0
    nothing.backward()
    assert not wrong.grad.any()


def test_in_bfloat16_as_in_float32(labels):
    logits = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    torch.testing.assert_close(
        BatchDiceLoss()(logits, labels), BatchDiceLoss()(logits.float(), labels)
    )
