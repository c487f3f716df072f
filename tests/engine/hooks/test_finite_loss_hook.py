from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import HOOKS

from lwam_mm.engine.hooks import finite_loss_hook
from lwam_mm.engine.hooks.finite_loss_hook import FiniteLossHook, NonFiniteLossError
from lwam_mm.engine.launch import train
from lwam_mm.engine.runners.resumable_runner import ResumableRunner


@HOOKS.register_module()
class SpoilHook(Hook):
    """Makes one image of the batch of iteration 3 (counted from 1) other than a number."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.names: list[str] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.before = {k: v.clone() for k, v in dict(runner.model.named_parameters()).items()}
        if runner.iter == 2:
            data_batch["inputs"] = [image.float() for image in data_batch["inputs"]]
            data_batch["inputs"][0][:] = self.value
            self.names = [sample.img_path for sample in data_batch["data_samples"]]


@pytest.mark.parametrize("kind", ["epoch", "iter"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_stops_before_the_weights_take_harm(small_config, kind, value):
    runner = ResumableRunner.from_cfg(
        small_config(kind, "work", [dict(type="SpoilHook", value=value)])
    )
    with pytest.raises(NonFiniteLossError) as error:
        runner.train()
    (spoil,) = (hook for hook in runner.hooks if isinstance(hook, SpoilHook))
    message = str(error.value)
    assert "in iteration 3: loss nan" in message
    assert "decode.loss_ce nan" in message
    assert len(spoil.names) == 2
    for name in spoil.names:
        assert name in message
    for remedy in ("check_dataset.py", "lr", "clip_grad", "--resume", runner.work_dir):
        assert remedy in message
    for name, parameter in runner.model.named_parameters():
        assert torch.equal(parameter, spoil.before[name]), name
    there = {path.name for path in Path(runner.work_dir).glob("*.pth")}
    assert there == (set() if kind == "epoch" else {"iter_2.pth"})


class GivenLosses(BaseModel):
    """Has zero, zero and then some value as one of its losses."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.values = iter([0.0, 0.0, value])

    def forward(self, inputs, data_samples=None, mode="tensor"):
        if mode != "loss":
            return [self.weight]
        return dict(loss=self.weight.sum(), loss_other=next(self.values) * self.weight)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_each_loss_that_is_not_finite_stops(tiny_runner, value):
    """Infinity is not NaN: of an image that is infinite a net makes NaN before the loss."""
    model = GivenLosses(value)
    runner = tiny_runner([1], epochs=2, model=model, custom_hooks=[dict(type="FiniteLossHook")])
    with pytest.raises(NonFiniteLossError, match=rf"iteration 3: loss 0\.98, loss_other {value}"):
        runner.train()
    assert torch.isfinite(model.weight).all()


@pytest.mark.parametrize(
    ("batch", "names"),
    [
        (
            dict(data_samples=[SimpleNamespace(img_path="a.png"), SimpleNamespace()]),
            "a.png unnamed",
        ),
        (dict(data_samples=[]), "unknown"),
        (dict(), "unknown"),
        ([1, 2], "unknown"),
        (None, "unknown"),
    ],
)
def test_a_batch_of_any_form_can_be_named(batch, names):
    assert finite_loss_hook._image_names(batch) == names.split()


def test_model_is_left_as_it_was(small_config, monkeypatch):
    seen = []
    monkeypatch.setattr(
        ResumableRunner,
        "train",
        lambda self, stock=ResumableRunner.train: seen.append((self, stock(self))),
    )
    train(small_config("iter", "work", **{"train_cfg.max_iters": 1}))
    assert "parse_losses" not in vars(seen[0][0].model)


def test_wrapped_model():
    """Under DDP the losses are added up by the model inside."""
    model = GivenLosses(0.0)
    runner = SimpleNamespace(model=torch.nn.DataParallel(model), iter=0, work_dir="work")
    hook = FiniteLossHook()
    hook.before_train(runner)
    with pytest.raises(NonFiniteLossError, match="iteration 1: loss inf"):
        model.parse_losses(dict(loss=torch.tensor(float("inf"))))
    hook.after_train(runner)
    assert "parse_losses" not in vars(model)
