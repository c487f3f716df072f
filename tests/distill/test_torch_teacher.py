from __future__ import annotations

import pytest
import torch
from torch import nn

from lwam_mm.distill.torch_teacher import fold_batch_norms


class Net(nn.Module):
    """Convolutions of every kind before a norm, and norms that cannot be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.biased = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.bare = nn.Sequential(
            nn.Conv2d(4, 4, 3, padding="same", groups=2, bias=False), nn.BatchNorm2d(4)
        )
        self.transposed = nn.Sequential(nn.ConvTranspose2d(4, 6, 2, 2), nn.BatchNorm2d(6))
        self.grouped = nn.Sequential(
            nn.ConvTranspose2d(6, 6, 2, 2, groups=2), nn.BatchNorm2d(6, affine=False)
        )
        self.used_twice = nn.Conv2d(6, 6, 1)
        self.behind = nn.BatchNorm2d(6)
        self.alone = nn.BatchNorm2d(6)
        self.statistics_of_the_batch = nn.Sequential(
            nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6, track_running_stats=False)
        )

    def forward(self, x):
        x = self.grouped(self.transposed(self.bare(self.biased(x).relu()).relu()).relu())
        y = self.used_twice(x)
        return self.statistics_of_the_batch(self.alone(self.behind(y) + y).relu())


def test_norms_are_folded_where_that_is_right():
    torch.manual_seed(0)
    net = Net().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.3, 3)
            if module.affine:
                nn.init.uniform_(module.weight, -1.5, 1.5)
                nn.init.uniform_(module.bias, -1, 1)
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        expected = net(x)
    graph = torch.export.export(net, (x,), strict=False).module()
    assert fold_batch_norms(graph) == 3
    with torch.no_grad():
        torch.testing.assert_close(graph(x), expected, atol=1e-5, rtol=1e-5)
    norms = [node for node in graph.graph.nodes if "batch_norm" in str(node.target)]
    assert len(norms) == 4
    assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())


def test_norms_in_training_stay():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    x = torch.randn(2, 3, 4, 4)
    with torch.no_grad():
        graph = torch.export.export(net, (x,), strict=False).module()
    assert fold_batch_norms(graph) == 0


@pytest.mark.parametrize("kind", [nn.ReLU, nn.Identity])
def test_a_norm_behind_something_else_stays(kind):
    net = nn.Sequential(kind(), nn.BatchNorm2d(3)).eval()
    graph = torch.export.export(net, (torch.randn(2, 3, 4, 4),), strict=False).module()
    assert fold_batch_norms(graph) == 0
