from __future__ import annotations

import pytest
from mmengine.config import Config

from lwam_mm.engine.hooks import keep_memory_hook
from lwam_mm.engine.hooks.keep_memory_hook import KeepMemoryHook


@pytest.mark.parametrize(("device", "expected"), [("cpu", ["give back", "keep"]), ("cuda", [])])
def test_after_the_first_step_on_processors_alone(monkeypatch, device, expected):
    calls = []
    monkeypatch.setattr(keep_memory_hook, "get_device", lambda: device)
    for name, call in (("give_freed_memory_back", "give back"), ("keep_freed_memory", "keep")):
        monkeypatch.setattr(keep_memory_hook, name, lambda call=call: calls.append(call))
    hook = KeepMemoryHook()
    hook.before_train(runner=None)
    assert calls == []
    for batch in range(3):
        hook.after_train_iter(None, batch, data_batch={}, outputs={})
    assert calls == expected


def test_every_training_has_it(repository):
    for config in (
        "configs/demo/lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96.py",
        "configs/distill/kd-unetpp-w32_lwrnet-w64_1xb8-2000e_powder-bed-1024x1024.py",
    ):
        hooks = Config.fromfile(repository / config).custom_hooks
        assert dict(type="KeepMemoryHook") in [hook.to_dict() for hook in hooks]
