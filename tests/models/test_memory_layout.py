from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lwam_mm.models.memory_layout import lay_out_channels_last
from lwam_mm.models.reparam.point_conv import PointConv2d
from lwam_mm.models.reparam.rep_conv import RepConv


def gradients(model: nn.Module, batch) -> dict[str, torch.Tensor]:
    losses = model.train()(*batch, mode="loss")
    sum(value for name, value in losses.items() if "loss" in name).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("network", ["student", "teacher"])
def test_training_is_the_same(build_segmentor, make_batch, network):
    plain = build_segmentor(network).double()
    ours = copy.deepcopy(plain)
    assert lay_out_channels_last(ours)
    layouts = []
    for module in ours.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.register_forward_hook(
                lambda module, inputs, y: layouts.append(
                    y.is_contiguous(memory_format=torch.channels_last)
                )
            )
    inputs, samples = make_batch()
    expected, found = (gradients(model, (inputs.double(), samples)) for model in (plain, ours))
    assert layouts
    assert all(layouts)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-9, rtol=1e-6, msg=name)


def test_blocks_fuse_their_branches(build_segmentor):
    model = build_segmentor("student")
    assert lay_out_channels_last(model)
    blocks = [module for module in model.modules() if isinstance(module, RepConv)]
    assert blocks
    assert all(block.fuses_branches for block in blocks)


class Foreign(nn.Conv2d):
    """As a layer of a package that was not tried."""


@pytest.mark.parametrize(
    ("layer", "can"),
    [
        (nn.Conv2d(4, 4, 1), True),
        (PointConv2d(4, 4, stride=2), True),
        (nn.Conv2d(4, 4, 1, stride=2), False),
        (Foreign(4, 4, 3), False),
    ],
)
def test_a_model_that_cannot_stays_as_it_is(layer, can):
    model = nn.Sequential(nn.Conv2d(4, 4, 3), layer)
    assert lay_out_channels_last(model) == can
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last) == can
