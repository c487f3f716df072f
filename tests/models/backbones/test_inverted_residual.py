from __future__ import annotations

import pytest
import torch
from torch import nn

from lwam_mm.models.backbones.inverted_residual import InvertedResidual, SamePaddedConv


@pytest.mark.parametrize(("kernel_size", "before"), [(1, 0), (3, 1), (5, 2)])
def test_at_stride_1_a_pixel_is_in_the_middle_of_its_kernel(kernel_size, before):
    assert_picks(SamePaddedConv(1, 1, kernel_size, activation=False), before, stride=1)


@pytest.mark.parametrize(("kernel_size", "before"), [(3, 0), (5, 1)])
def test_at_stride_2_the_right_and_the_bottom_get_the_odd_pixel(kernel_size, before):
    """TensorFlow's SAME for even sizes: of k - 2 pixels, half of them rounded down come before."""
    conv = SamePaddedConv(1, 1, kernel_size, stride=2, activation=False)
    assert_picks(conv, before, stride=2)


def assert_picks(conv: SamePaddedConv, position: int, stride: int) -> None:
    """A kernel that is 1 at one position alone takes the pixels in the corners of the strides."""
    nn.init.zeros_(conv.conv.weight)
    conv.conv.weight.data[0, 0, position, position] = 1
    x = torch.randn(2, 1, 8, 12)
    torch.testing.assert_close(conv.eval()(x) * (1 + 1e-3) ** 0.5, x[..., ::stride, ::stride])


def test_activation_ends_at_6():
    conv = SamePaddedConv(1, 1).eval()
    nn.init.constant_(conv.conv.weight, 100)
    assert conv(torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2)).flatten().tolist() == [0, 6]


@pytest.mark.parametrize(("kind", "layer"), [("BN", nn.BatchNorm2d), ("SyncBN", nn.SyncBatchNorm)])
def test_norm_is_an_argument_but_its_eps_is_tensorflows(kind, layer):
    block = InvertedResidual(4, 4, 3, 1, 6, norm_cfg=dict(type=kind, momentum=0.01))
    norms = [module for module in block.modules() if isinstance(module, layer)]
    assert [(norm.eps, norm.momentum) for norm in norms] == [(1e-3, 0.01)] * 3


def test_a_block_widens_convolves_each_channel_and_narrows(randomise_batch_norms):
    block = randomise_batch_norms(InvertedResidual(4, 8, 5, 2, 6)).eval()
    convs = [block.expand.conv, block.depthwise.conv, block.project.conv]
    shapes = [(24, 4, 1, 1), (24, 1, 5, 5), (8, 24, 1, 1)]
    assert [tuple(conv.weight.shape) for conv in convs] == shapes
    assert all(conv.bias is None for conv in convs)
    x = torch.randn(2, 4, 16, 32)
    y = block(x)
    assert y.shape == (2, 8, 8, 16)
    assert (y < 0).any(), "the output has no activation"
    torch.testing.assert_close(y, block.project(block.depthwise(block.expand(x))))


def test_without_expansion_there_are_two_convolutions():
    block = InvertedResidual(4, 8, 3, 1, 1)
    assert sum(isinstance(module, nn.Conv2d) for module in block.modules()) == 2
    assert block.eval()(torch.zeros(1, 4, 8, 8)).shape == (1, 8, 8, 8)


@pytest.mark.parametrize(
    ("channels", "stride", "adds"), [(4, 1, True), (8, 1, False), (4, 2, False)]
)
def test_the_input_is_added_where_it_has_the_outputs_shape(channels, stride, adds):
    block = InvertedResidual(4, channels, 3, stride, 6).eval()
    nn.init.zeros_(block.project.conv.weight)
    x = torch.randn(1, 4, 8, 8)
    y = block(x)
    assert torch.equal(y, x) if adds else not y.any()
