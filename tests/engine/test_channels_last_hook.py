from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

from lwam_mm.engine.channels_last_hook import ChannelsLastHook


def test_layout_changes_and_values_do_not():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    ChannelsLastHook().before_train(SimpleNamespace(model=model))
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert model(torch.randn(1, 3, 9, 9)).is_contiguous(memory_format=torch.channels_last)
    for name, value in model.state_dict().items():
        if "running" not in name and "tracked" not in name:
            assert torch.equal(value, before[name])
    model(torch.randn(1, 3, 9, 9)).sum().backward()
    optimizer.step()  # still the same parameters
    assert not torch.equal(model[1].bias, before["1.bias"])


def test_model_on_another_device_is_left_alone():
    model = nn.Conv2d(3, 8, 3, device="meta")
    ChannelsLastHook().before_train(SimpleNamespace(model=model))
    assert model.weight.is_contiguous()
