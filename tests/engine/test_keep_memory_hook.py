from __future__ import annotations

import pytest
from mmengine.config import Config

from lwam_mm.engine import keep_memory_hook
from lwam_mm.engine.keep_memory_hook import KeepMemoryHook


@pytest.mark.parametrize(("device", "kept"), [("cpu", 1), ("cuda", 0)])
def test_on_processors_alone(monkeypatch, device, kept):
    calls = []
    monkeypatch.setattr(keep_memory_hook, "get_device", lambda: device)
    monkeypatch.setattr(keep_memory_hook, "keep_freed_memory", lambda: calls.append(device))
    KeepMemoryHook().before_train(runner=None)
    assert len(calls) == kept


def test_every_training_has_it(repository):
    for config in (
        "configs/demo/lwrnet-w16_1xb4-1000i_powder-bed-synthetic-96x96.py",
        "configs/distill/kd-unetpp-w32_lwrnet-w64_1xb8-2000e_powder-bed-1024x1024.py",
    ):
        hooks = Config.fromfile(repository / config).custom_hooks
        assert dict(type="KeepMemoryHook") in [hook.to_dict() for hook in hooks]
