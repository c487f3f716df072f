"""What is averaged; tests/end_to_end/test_two_processes.py does it with two real processes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import HOOKS
from torch import nn

from lwam_mm.engine.hooks import average_over_processes_hook as module
from lwam_mm.engine.hooks.average_over_processes_hook import AverageOverProcessesHook


@pytest.fixture
def model() -> nn.Sequential:
    model = nn.Sequential(
        nn.BatchNorm2d(1),
        nn.BatchNorm2d(1).eval(),  # a frozen teacher's
        nn.SyncBatchNorm(1),
        nn.BatchNorm2d(1, track_running_stats=False),
        nn.Conv2d(1, 1, 1),
    )
    for norm in model[:3]:
        norm.running_mean.fill_(1.0)
        norm.running_var.fill_(3.0)
    return model


@pytest.fixture
def processes(monkeypatch):
    """Function that simulates several processes, of which the others have zeros everywhere."""

    def simulate(count: int) -> None:
        def average(tensor: torch.Tensor, op: str) -> None:
            assert op == "mean"
            tensor.div_(count)

        def average_all(tensors: list[torch.Tensor], op: str) -> None:
            for tensor in tensors:
                average(tensor, op)

        monkeypatch.setattr(module, "get_world_size", lambda: count)
        monkeypatch.setattr(module, "all_reduce", average)
        monkeypatch.setattr(module, "all_reduce_params", average_all)

    return simulate


def run(model: nn.Module, outputs: dict | None) -> dict | None:
    AverageOverProcessesHook().after_train_iter(SimpleNamespace(model=model), 0, None, outputs)
    return outputs


def test_losses_are_averaged_in_place(processes, model):
    processes(2)
    loss = torch.tensor([2.0, 4.0], requires_grad=True, dtype=torch.float64)
    outputs = run(model, dict(loss=loss, acc=torch.tensor(8)))
    assert {name: value.item() for name, value in outputs.items()} == dict(loss=1.5, acc=4.0)
    assert not outputs["loss"].requires_grad
    assert run(model, None) is None


def test_running_statistics_that_differ_are_averaged(processes, model):
    processes(4)
    run(model, {})
    assert [norm.running_mean.item() for norm in model[:3]] == [0.25, 1.0, 1.0]
    assert [norm.running_var.item() for norm in model[:3]] == [0.75, 3.0, 3.0]


def test_one_process_changes_nothing(processes, model):
    processes(1)
    assert run(model, dict(loss=2.0)) == dict(loss=2.0)
    assert model[0].running_mean.item() == 1.0


@pytest.mark.parametrize("name", ["AverageOverProcessesHook", "JointProcessesHook"])
def test_configs_know_it_by_both_names(name):
    assert HOOKS.get(name) is AverageOverProcessesHook
