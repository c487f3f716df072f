from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lwam_mm.models import SpreadHead

LOSS = dict(type="CrossEntropyLoss", avg_non_ignore=True)
CHANNELS = (8, 12, 16)


def make_head(**kwargs) -> SpreadHead:
    return SpreadHead(**{**dict(in_channels=CHANNELS, num_classes=4, loss_decode=LOSS), **kwargs})


@pytest.fixture
def features() -> list[Tensor]:
    """Of two images of 32x48 pixels."""
    return [torch.randn(2, c, 8 >> k, 12 >> k) for k, c in enumerate(CHANNELS)]


def test_logits_have_the_size_of_the_image(features):
    assert make_head().eval()(features).shape == (2, 4, 32, 48)


def test_every_stage_matters(features):
    head = make_head().eval()
    expected = head(features)
    for level in range(len(CHANNELS)):
        changed = [f + 1 if k == level else f for k, f in enumerate(features)]
        assert not torch.allclose(head(changed), expected)


def test_logits_can_be_recorded(features):
    head, recorded = make_head().eval(), []
    head.get_submodule("logits").register_forward_hook(lambda m, i, o: recorded.append(o))
    assert head.forward(features) is recorded[0]


def test_pixels_of_a_block_start_with_equal_logits(features):
    head = make_head()
    head.init_weights()
    logits = head.eval()(features)
    blocks = logits.unflatten(3, (-1, 4)).unflatten(2, (-1, 4))  # (N, C, h, 4, w, 4)
    assert torch.equal(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks))
    assert logits.std() > 0.01


@pytest.mark.parametrize("block", ["RepConv", "QARepConv"])
def test_fold(features, randomise_batch_norms, block):
    head = randomise_batch_norms(make_head(block=block)).eval()
    with torch.no_grad():
        expected = head(features)
        assert expected.std() > 0.01
        head.train().switch_to_deploy()
        torch.testing.assert_close(head(features), expected, atol=1e-5, rtol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in head.modules())
    assert make_head(deploy=True).state_dict().keys() == head.state_dict().keys()
