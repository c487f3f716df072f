"""What is chosen for GPUs; that processors work is shown by two processes end to end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import Runner
from torch import nn

from lwam_mm.engine.runners import distributed_runner
from lwam_mm.engine.runners.distributed_runner import DistributedRunner


@pytest.fixture
def chosen(monkeypatch):
    """Function giving the backend that upstream is handed, for a device and a config."""
    handed = []
    monkeypatch.setattr(Runner, "setup_env", lambda self, env_cfg: handed.append(env_cfg))

    def choose(device: str, env_cfg: dict) -> dict:
        monkeypatch.setattr(distributed_runner, "get_device", lambda: device)
        before = dict(env_cfg)
        DistributedRunner.__new__(DistributedRunner).setup_env(env_cfg)
        assert env_cfg == before  # which goes into the work dir, and may go on elsewhere
        return handed[-1]

    return choose


@pytest.mark.parametrize(("device", "backend"), [("cuda", "nccl"), ("cpu", "gloo")])
def test_backend_goes_with_the_device(chosen, device, backend):
    assert chosen(device, dict(cudnn_benchmark=True)) == dict(
        cudnn_benchmark=True, dist_cfg=dict(backend=backend)
    )
    assert chosen(device, dict(dist_cfg=dict(timeout=60)))["dist_cfg"] == dict(
        backend=backend, timeout=60
    )


def test_config_may_say_otherwise(chosen):
    assert chosen("cuda", dict(dist_cfg=dict(backend="gloo")))["dist_cfg"] == dict(backend="gloo")


def test_base_config_leaves_the_choice(repository):
    from mmengine.config import Config

    config = Config.fromfile(repository / "configs" / "_base_" / "default_runtime.py")
    assert "dist_cfg" not in config.env_cfg
    assert config.sync_bn == "torch"


@pytest.mark.parametrize("sync_bn", ["torch", None])
def test_on_gpus_the_model_is_left_to_upstream(monkeypatch, sync_bn):
    """Wraps and synchronises as upstream does, and says which."""
    model = nn.Sequential(nn.SyncBatchNorm(2) if sync_bn else nn.BatchNorm2d(2))
    handed, said = [], []
    monkeypatch.setattr(distributed_runner, "get_device", lambda: "cuda")
    monkeypatch.setattr(distributed_runner, "get_backend", lambda: "nccl")
    monkeypatch.setattr(
        Runner, "wrap_model", lambda self, settings, model: handed.append(settings) or model
    )
    runner = DistributedRunner.__new__(DistributedRunner)
    runner._distributed, runner._world_size = True, 4
    runner.logger = SimpleNamespace(info=said.append)
    assert runner.wrap_model(dict(static_graph=True), model) is model
    assert handed == [dict(static_graph=True)]
    norms = {
        "torch": "batch norms are synchronised",
        None: "batch norms use only the images of their own process (sync_bn is not set)",
    }[sync_bn]
    assert said == [f"4 processes on cuda, over nccl; {norms}."]


@pytest.mark.parametrize("channels_last", [None, True, False])
def test_models_get_their_fast_layout(channels_last):
    """Unless they see to it themselves, as a distillation does."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    if channels_last is not None:
        model.channels_last = channels_last
    DistributedRunner.__new__(DistributedRunner).build_model(model)
    found = model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert found == (channels_last is None)
