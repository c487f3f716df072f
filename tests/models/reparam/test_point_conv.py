from __future__ import annotations

import pytest
import torch
from torch import nn

from lwam_mm.models.reparam.point_conv import PointConv2d


@pytest.mark.parametrize(("stride", "groups", "size"), [(1, 1, 8), (2, 1, 8), (2, 2, 7), (3, 1, 7)])
def test_it_is_a_1x1_convolution(stride, groups, size):
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 6, 1, stride=stride, groups=groups)
    ours = PointConv2d(4, 6, stride, groups)
    ours.load_state_dict(plain.state_dict(), strict=True)
    x = torch.randn(2, 4, size, size, requires_grad=True)
    expected, found = plain(x), ours(x)
    torch.testing.assert_close(found, expected)
    grad = torch.randn_like(expected)
    variables = (x, plain.weight, plain.bias)
    expected = torch.autograd.grad(expected, variables, grad)
    found = torch.autograd.grad(found, (x, ours.weight, ours.bias), grad)
    torch.testing.assert_close(found, expected)


def test_defaults_are_torchs():
    plain, ours = nn.Conv2d(4, 6, 1), PointConv2d(4, 6)
    ours.load_state_dict(plain.state_dict(), strict=True)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(ours(x), plain(x))


def test_torch_never_sees_the_stride(monkeypatch):
    """A strided 1x1 convolution's backward pass corrupts memory in torch 2.13."""
    seen = []
    conv2d = nn.functional.conv2d

    def spy(x, weight, bias=None, stride=1, *args, **kwargs):
        seen.append((tuple(x.shape), stride))
        return conv2d(x, weight, bias, stride, *args, **kwargs)

    monkeypatch.setattr(nn.functional, "conv2d", spy)
    PointConv2d(8, 8, stride=2)(torch.randn(2, 8, 64, 64))
    assert seen == [((2, 8, 32, 32), 1)]
