from __future__ import annotations

import pytest
import torch
from torch import nn

from lwam_mm.deploy.receptive_field import tile_halo


class Segmentor(nn.Sequential):
    def forward(self, x, mode):
        assert mode == "tensor"
        return super().forward(x)


def conv(kernel, **kwargs):
    return nn.Conv2d(kwargs.pop("channels", 3), 3, kernel, **kwargs)


@pytest.mark.parametrize(
    ("layers", "divisor", "expected"),
    [
        ([conv(1)], 16, 0),
        ([conv(3, padding=1)], 1, 1),
        ([conv(3, padding=1)], 16, 16),
        ([conv(3, padding=1), nn.ReLU(), conv(3, padding=1)], 1, 2),
        ([conv(3, padding=4, dilation=4), nn.BatchNorm2d(3)], 2, 4),
        ([conv((1, 5), padding=(0, 2))], 1, 2),
        ([conv((5, 1), padding=(2, 0))], 1, 2),
        # A stride of 2: three taps of what was every other pixel.
        ([conv(3, stride=2, padding=1), nn.ConvTranspose2d(3, 3, 2, stride=2)], 2, 2),
        ([nn.MaxPool2d(2), conv(3, padding=1), nn.ConvTranspose2d(3, 3, 2, stride=2)], 2, 2),
        ([nn.MaxPool2d(3, 1, 1)], 1, 1),
        # One side alone: the right, the left, the bottom and the top.
        ([nn.ZeroPad2d((0, 2, 0, 0)), conv((1, 3))], 1, 2),
        ([nn.ZeroPad2d((2, 0, 0, 0)), conv((1, 3))], 1, 2),
        ([nn.ZeroPad2d((0, 0, 0, 2)), conv((3, 1))], 4, 4),
        ([nn.ZeroPad2d((0, 0, 2, 0)), conv((3, 1))], 4, 4),
        # A normalisation without weights, and negative weights that would cancel out.
        ([conv(3, padding=1), nn.BatchNorm2d(3, affine=False), nn.ReLU()], 1, 1),
    ],
)
def test_halo_by_hand(layers, divisor, expected):
    assert tile_halo(Segmentor(*layers).eval(), divisor) == expected


class Pooling(nn.Module):
    def forward(self, x, mode):
        return x + x.mean((2, 3), keepdim=True)


def test_a_net_that_sees_everything_has_none():
    assert tile_halo(Pooling().eval(), 16) is None


def test_a_halo_larger_than_the_first_image_is_found():
    dilated = [conv(3, padding=100, dilation=100) for _ in range(2)]
    assert tile_halo(Segmentor(*dilated).eval(), 16) == 208


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        # The cell begins at 1024 of 2048 pixels and is 16 wide.
        ((1023, 0), 1024),
        ((1024, 0), None),
        ((0, 1007), 1008),
        ((0, 1008), None),
    ],
)
def test_a_single_far_tap_counts_up_to_the_edge_of_the_largest_image(padding, expected):
    tap = conv((1, 2), dilation=(1, sum(padding)))
    assert tile_halo(Segmentor(nn.ZeroPad2d((*padding, 0, 0)), tap).eval(), 16) == expected


def test_the_net_itself_is_left_alone():
    net = Segmentor(conv(3, padding=1)).eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    tile_halo(net, 16)
    assert next(net.parameters()).dtype == torch.float32
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_students_halo_is_just_enough(build_student):
    """Farther away nothing matters; a divisor nearer something does."""
    student = build_student().double()
    halo = tile_halo(student, 16)
    assert halo == 48
    image = torch.randn(1, 3, 160, 160, dtype=torch.float64)
    with torch.no_grad():
        before = student(image, mode="tensor")[..., 64:80, 64:80]
        far = image.clone()
        far[..., : 64 - halo] = 9
        assert torch.equal(student(far, mode="tensor")[..., 64:80, 64:80], before)
        near = image.clone()
        near[..., : 64 - halo + 16] = 9
        assert not torch.equal(student(near, mode="tensor")[..., 64:80, 64:80], before)
