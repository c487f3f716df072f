from __future__ import annotations

import pytest
import torch
from torch import nn

from lwam_mm.models import LWRNet, QARepConv, RepConv

WIDTHS = (8, 8, 16, 32, 64)  # of the stages with base_channels=8


def test_every_stage_can_be_had():
    model = LWRNet(base_channels=8, out_indices=(0, 1, 2, 3, 4)).eval()
    shapes = [tuple(feature.shape) for feature in model(torch.zeros(2, 3, 64, 96))]
    assert shapes == [(2, w, 64 >> k, 96 >> k) for k, w in enumerate(WIDTHS)]


def test_default_is_the_deepest_stage_alone(randomise_batch_norms):
    model = randomise_batch_norms(LWRNet(base_channels=8)).eval()
    x = torch.randn(1, 3, 32, 32)
    (feature,) = model(x)
    assert feature.shape == (1, 64, 2, 2)
    model.out_indices = (1, 4)
    assert torch.equal(model(x)[1], feature)


@pytest.mark.parametrize("out_indices", [(), (5,), (0, -1), (4, 4), (4, 0)])
def test_stages_that_do_not_exist_are_refused(out_indices):
    with pytest.raises(ValueError, match=r"out_indices=.*0 to 4"):
        LWRNet(base_channels=8, out_indices=out_indices)


def test_distilled_feature_can_be_recorded():
    """A recorder hooks a module by name and takes what that module returned."""
    model = LWRNet(base_channels=8).eval()
    recorded = []
    model.get_submodule("stage4").register_forward_hook(lambda m, i, o: recorded.append(o))
    (feature,) = model(torch.zeros(1, 3, 16, 16))
    assert recorded[0] is feature


def test_six_blocks_as_released():
    blocks = {name: m for name, m in LWRNet().named_modules() if isinstance(m, RepConv)}
    convs = [block.conv3x3 for block in blocks.values()]
    assert [(c.in_channels, c.out_channels, c.stride[0]) for c in convs] == [
        (3, 64, 1),
        (64, 64, 2),
        (64, 128, 2),
        (128, 256, 2),
        (256, 256, 1),
        (256, 512, 2),
    ]
    with_identity = [name for name, block in blocks.items() if hasattr(block, "norm_identity")]
    assert with_identity == ["stage3.1"]


def test_branches_can_be_switched_off(count_parameters):
    def count(**branches) -> int:
        return count_parameters(LWRNet(base_channels=8, **branches))

    edges = [(3, 8), (8, 8), (8, 16), (16, 32), (32, 32), (32, 64)]
    points = sum(i * o + 2 * o for i, o in edges)  # a 1x1 convolution and its norm
    assert count() - count(with_1x1=False) == points
    assert count() - count(with_identity=False) == 2 * 32
    assert count() - count(with_1x1=False, with_identity=False) == points + 2 * 32


def test_other_images_than_rgb():
    model = LWRNet(in_channels=1, base_channels=8).eval()
    assert model(torch.zeros(1, 1, 16, 16))[0].shape == (1, 64, 1, 1)


@pytest.mark.parametrize("size", [(8, 16), (32, 40)])
def test_size_that_does_not_divide_is_refused(size):
    with pytest.raises(ValueError, match="multiples of 16"):
        LWRNet(base_channels=8).eval()(torch.zeros(1, 3, *size))


def test_norm_is_an_argument():
    model = LWRNet(base_channels=8, norm_cfg=dict(type="SyncBN"))
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms
    assert all(isinstance(norm, nn.SyncBatchNorm) for norm in norms)


def test_block_is_an_argument():
    model = LWRNet(base_channels=8, block="QARepConv", with_1x1=False)
    blocks = [module for module in model.modules() if isinstance(module, QARepConv)]
    assert len(blocks) == 6
    assert not any(isinstance(module, RepConv) for module in model.modules())
    assert not any(block.has_1x1 for block in blocks)
    with pytest.raises(ValueError, match="block='Conv'"):
        LWRNet(block="Conv")


@pytest.mark.parametrize("block", ["RepConv", "QARepConv"])
def test_fold(randomise_batch_norms, block):
    model = LWRNet(base_channels=8, out_indices=(0, 1, 2, 3, 4), block=block)
    randomise_batch_norms(model).train()
    x = torch.randn(2, 3, 32, 48)
    with torch.no_grad():
        expected = model.eval()(x)
        model.train().switch_to_deploy()
        assert not any(module.training for module in model.modules())
        for ours, theirs in zip(model(x), expected, strict=True):
            assert theirs.std() > 0.01
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    built = LWRNet(base_channels=8, deploy=True)
    assert built.state_dict().keys() == model.state_dict().keys()
