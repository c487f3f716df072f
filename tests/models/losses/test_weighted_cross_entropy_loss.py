from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lwam_mm.models.losses.weighted_cross_entropy_loss import WeightedCrossEntropyLoss

WEIGHTS = [0.2, 1.0, 3.0]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 7, generator=generator)
    labels = torch.randint(0, 3, (2, 5, 7), generator=generator)
    labels[0, :2] = 255
    return logits, labels


def test_equals_torchs_own_mean(batch):
    logits, labels = batch
    expected = functional.cross_entropy(
        logits, labels, weight=torch.tensor(WEIGHTS), ignore_index=255
    )
    torch.testing.assert_close(WeightedCrossEntropyLoss(WEIGHTS)(logits, labels), expected)
    torch.testing.assert_close(
        WeightedCrossEntropyLoss(WEIGHTS, loss_weight=2)(logits, labels), 2 * expected
    )


def test_pixels_weighted_by_a_sampler(batch):
    logits, labels = batch
    kept = torch.zeros(labels.shape)
    kept[1] = 1
    expected = functional.cross_entropy(logits[1:], labels[1:], weight=torch.tensor(WEIGHTS))
    torch.testing.assert_close(
        WeightedCrossEntropyLoss(WEIGHTS)(logits, labels, weight=kept), expected
    )


def test_nothing_to_learn_costs_nothing(batch):
    logits, labels = batch
    logits.requires_grad_()
    loss = WeightedCrossEntropyLoss(WEIGHTS)(logits, torch.full_like(labels, 255))
    assert loss.item() == 0
    loss.backward()
    assert not logits.grad.any()


def test_weights_are_no_part_of_a_checkpoint():
    assert WeightedCrossEntropyLoss(WEIGHTS).state_dict() == {}


@pytest.mark.parametrize("weights", [[], [1.0, -1.0], [0.0, 0.0]])
def test_senseless_weights_are_refused(weights):
    with pytest.raises(ValueError, match="class_weight="):
        WeightedCrossEntropyLoss(weights)


def test_other_number_of_classes_is_refused(batch):
    with pytest.raises(ValueError, match="2 class weights for 3 classes"):
        WeightedCrossEntropyLoss([1.0, 1.0])(*batch)
