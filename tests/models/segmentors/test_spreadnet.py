"""SpreadNet as its configs describe it: size, cost, receptive field, tiles."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.deploy.receptive_field import tile_halo
from lwam_mm.models import reparameterize


@pytest.fixture
def build(repository):
    def make(name: str) -> nn.Module:
        init_default_scope("mmseg")  # as a runner does
        config = Config.fromfile(repository / f"configs/_base_/models/{name}.py")
        torch.manual_seed(0)
        return MODELS.build(config.model).eval()

    return make


def multiplications(model: nn.Module, side: int) -> int:
    total = 0

    def count(conv: nn.Conv2d, _: tuple, y: Tensor) -> None:
        nonlocal total
        total += conv.weight.numel() * y.shape[2] * y.shape[3]

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        model(torch.zeros(1, 3, side, side), mode="tensor")
    return total


# Parameters in training and folded in millions, GMAC at 1024x1024 and halo in pixels.
@pytest.mark.parametrize(
    ("name", "trained", "folded", "gmac", "halo"),
    [("spreadnet", 0.79, 0.72, 6.8, 160), ("spreadnet_s20", 1.62, 1.50, 20.7, 128)],
)
def test_size_and_cost(build, count_parameters, name, trained, folded, gmac, halo):
    model = build(name)
    plain = reparameterize(model)
    assert count_parameters(model) / 1e6 == pytest.approx(trained, abs=0.005)
    assert count_parameters(plain) / 1e6 == pytest.approx(folded, abs=0.005)
    assert multiplications(plain, 256) * 16 / 1e9 == pytest.approx(gmac, abs=0.05)
    assert tile_halo(plain, 16) == halo


def test_a_tile_has_the_logits_of_the_whole_image(build):
    model = build("spreadnet").double()
    halo = tile_halo(model, 16)
    image = torch.randn(1, 3, 2 * halo + 32, 2 * halo + 32, dtype=torch.float64)
    middle = (..., slice(halo, halo + 32), slice(halo, halo + 32))
    with torch.no_grad():
        before = model(image, mode="tensor")[middle]
        larger = nn.functional.pad(image, (16, 16, 16, 16), value=9.0)
        after = model(larger, mode="tensor")[..., 16:-16, 16:-16][middle]
    torch.testing.assert_close(after, before, atol=1e-12, rtol=0)
