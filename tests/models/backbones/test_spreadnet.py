from __future__ import annotations

import pytest
import torch
from torch import nn

from lwam_mm.models import QARepConv, RepConv, SpreadNet
from lwam_mm.models.backbones.spreadnet import StripPair

SMALL = dict(channels=(8, 12, 16), depths=(1, 2, 2))


@pytest.mark.parametrize(
    ("unshuffle", "channels"), [(2, (4, 6, 8, 10)), (4, (8, 12, 16)), (8, (12, 16))]
)
def test_stages_halve_down_to_a_sixteenth(unshuffle, channels):
    model = SpreadNet(unshuffle=unshuffle, channels=channels, depths=(1,) * len(channels)).eval()
    shapes = [tuple(feature.shape) for feature in model(torch.zeros(2, 3, 64, 96))]
    strides = [unshuffle * 2**level for level in range(len(channels))]
    assert shapes == [(2, c, 64 // s, 96 // s) for c, s in zip(channels, strides, strict=True)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(unshuffle=2), "end at 1/8"),
        (dict(unshuffle=8), "end at 1/32"),
        (dict(depths=(1, 2)), "depths"),
        (dict(depths=(1, 0, 1)), "at least one block"),
        (dict(block="Conv"), "block='Conv'"),
    ],
)
def test_stages_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        SpreadNet(**{**SMALL, **wrong})


@pytest.mark.parametrize("size", [(8, 16), (32, 40)])
def test_size_that_does_not_divide_is_refused(size):
    with pytest.raises(ValueError, match="multiples of 16"):
        SpreadNet(**SMALL).eval()(torch.zeros(1, 3, *size))


def test_depths_and_block_are_arguments():
    model = SpreadNet(**SMALL, block="QARepConv", with_1x1=False)
    blocks = [[m for m in stage.modules() if isinstance(m, QARepConv)] for stage in model.stages]
    assert [len(stage) for stage in blocks] == [1, 2, 2]
    assert not any(block.has_1x1 for stage in blocks for block in stage)
    assert not any(isinstance(m, RepConv) for m in model.modules())


def test_strips_see_far_along_rows_and_columns_of_the_deepest_stage_alone():
    model = SpreadNet(**SMALL, strip_length=7)
    pairs = [[m for m in stage.modules() if isinstance(m, StripPair)] for stage in model.stages]
    assert [len(stage) for stage in pairs] == [0, 0, 1]
    pair = pairs[2][0]
    assert pair.row.dense.kernel_size == (1, 7)
    assert pair.column.dense.kernel_size == (7, 1)


def test_a_strip_pair_adds_to_its_input():
    pair = StripPair(4, 5).eval()
    nn.init.zeros_(pair.column.dense.weight)
    x = torch.randn(1, 4, 6, 7)
    assert torch.equal(pair(x), x.relu())


def test_unshuffling_keeps_every_pixel():
    """A pixel that any stride would skip changes the first stage."""
    model = SpreadNet(**SMALL).eval()
    image = torch.zeros(1, 3, 32, 32)
    for row, column in ((0, 0), (1, 2), (3, 3)):
        changed = image.clone()
        changed[..., 16 + row, 16 + column] = 5
        assert not torch.equal(model(changed)[0], model(image)[0])


@pytest.mark.parametrize("block", ["RepConv", "QARepConv"])
def test_fold(randomise_batch_norms, block):
    model = randomise_batch_norms(SpreadNet(**SMALL, block=block)).train()
    x = torch.randn(2, 3, 32, 48)
    with torch.no_grad():
        expected = model.eval()(x)
        model.train().switch_to_deploy()
        for ours, theirs in zip(model(x), expected, strict=True):
            assert theirs.std() > 0.01
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    plain = {nn.Conv2d, nn.ReLU, nn.Identity, nn.PixelUnshuffle}
    assert {type(m) for m in model.modules() if not list(m.children())} == plain
    built = SpreadNet(**SMALL, deploy=True)
    assert built.state_dict().keys() == model.state_dict().keys()
