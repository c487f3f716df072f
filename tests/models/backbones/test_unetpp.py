from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lwam_mm.models import UNetPlusPlus


def test_five_nodes():
    model = UNetPlusPlus(base_channels=8).eval()
    assert list(model.nodes) == ["x_00", "x_10", "x_20", "x_30", "x_40"]
    shapes = [tuple(feature.shape) for feature in model(torch.zeros(2, 3, 64, 96))]
    assert shapes == [(2, 8 << level, 64 >> level, 96 >> level) for level in range(5)]


def test_a_node_is_two_convolutions_with_norm_and_relu():
    model = UNetPlusPlus()
    kinds = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * 2
    for level, node in enumerate(model.nodes.values()):
        assert [type(layer) for layer in node] == kinds
        width = 32 << level
        assert [node[i].in_channels for i in (0, 3)] == [3 if level == 0 else width // 2, width]
        assert all(node[i].bias is not None for i in (0, 3))


def test_nodes_take_the_pooled_node_above(randomise_batch_norms):
    model = randomise_batch_norms(UNetPlusPlus(base_channels=8)).eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        features = model(x)
        expected = model.nodes["x_00"](x)
        for level, feature in enumerate(features):
            torch.testing.assert_close(feature, expected)
            if level < 4:
                pooled = nn.functional.max_pool2d(expected, 2)
                expected = model.nodes[f"x_{level + 1}0"](pooled)


def test_distilled_feature_can_be_recorded():
    model = UNetPlusPlus(base_channels=8).eval()
    recorded = []
    model.get_submodule("nodes.x_40").register_forward_hook(lambda m, i, o: recorded.append(o))
    assert model(torch.zeros(1, 3, 16, 16))[-1] is recorded[0]


def test_initialisation_as_released():
    torch.manual_seed(0)
    model = UNetPlusPlus()
    model.init_weights()
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and "x_00.0" not in name:
            fan_in = module.in_channels * 9
            std = module.weight.std().item()
            assert std == pytest.approx(math.sqrt(2 / fan_in), rel=0.05), name
            assert abs(module.weight.mean().item()) < 0.05 * std
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.02), name
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.5), name
            assert not module.bias.any()


def test_initialisation_is_an_argument():
    model = UNetPlusPlus(base_channels=8, init_cfg=dict(type="Constant", val=0.5, layer="Conv2d"))
    model.init_weights()
    assert (model.nodes["x_20"][0].weight == 0.5).all()


def test_norm_is_an_argument():
    model = UNetPlusPlus(base_channels=8, norm_cfg=dict(type="SyncBN"))
    assert sum(isinstance(m, nn.SyncBatchNorm) for m in model.modules()) == 10
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


def test_other_images_than_rgb():
    model = UNetPlusPlus(in_channels=1, base_channels=8).eval()
    assert model(torch.zeros(1, 1, 16, 16))[0].shape == (1, 8, 16, 16)


@pytest.mark.parametrize("size", [(8, 16), (32, 40)])
def test_size_that_does_not_divide_is_refused(size):
    with pytest.raises(ValueError, match="multiples of 16"):
        UNetPlusPlus(base_channels=8).eval()(torch.zeros(1, 3, *size))
