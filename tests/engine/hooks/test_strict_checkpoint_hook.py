from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

from lwam_mm.engine.hooks.strict_checkpoint_hook import StrictCheckpointHook
from lwam_mm.models.checkpoint import CheckpointMismatchError

STRICT = [dict(type="StrictCheckpointHook")]


class Shift(BaseModel):
    """Another model than the runner's own."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.nn.Parameter(torch.ones(1))

    def forward(self, inputs, data_samples=None, mode="tensor"):
        return dict(loss=(self.shift + torch.stack(list(inputs)).mean()) ** 2)


@pytest.fixture
def trained(tiny_runner) -> Path:
    """A checkpoint of one epoch."""
    runner = tiny_runner([1])
    runner.train()
    return Path(runner.work_dir) / "epoch_1.pth"


def weight(runner: Runner) -> torch.Tensor:
    return runner.model.weight.detach()


def test_checkpoint_that_fits_is_loaded(tiny_runner, trained):
    expected = torch.load(trained, weights_only=True)["state_dict"]["weight"]
    assert expected != 1
    for options in (dict(load_from=str(trained)), dict(resume=True)):
        runner = tiny_runner(custom_hooks=STRICT, **options)
        runner.load_or_resume()
        assert torch.equal(weight(runner), expected)


@pytest.mark.parametrize("resume", [False, True])
def test_checkpoint_that_does_not_fit_is_refused_with_its_name(tiny_runner, trained, resume):
    options = dict(load_from=str(trained), resume=resume)
    runner = tiny_runner(model=Shift(), custom_hooks=STRICT, **options)
    with pytest.raises(CheckpointMismatchError) as error:
        runner.load_or_resume()
    message = str(error.value)
    assert message.startswith(f"{trained} does not fit the model")
    assert "1 missing in the checkpoint:\n    shift" in message
    assert "1 left over in the checkpoint:\n    weight" in message
    assert runner.model.shift == 1


def test_automatic_resume_is_checked_as_well(tiny_runner, trained):
    runner = tiny_runner(model=Shift(), custom_hooks=STRICT, resume=True)
    with pytest.raises(CheckpointMismatchError, match=f"^{trained} does not fit"):
        runner.load_or_resume()


def test_stock_runner_alone_goes_on_with_random_weights(tiny_runner, trained):
    """What the hook is for."""
    runner = tiny_runner(model=Shift(), load_from=str(trained))
    runner.load_or_resume()
    assert runner.model.shift == 1


def test_bare_state_dict(tiny_runner, tmp_path):
    torch.save(dict(weight=torch.tensor([7.0])), tmp_path / "bare.pth")
    runner = tiny_runner(custom_hooks=STRICT, load_from=str(tmp_path / "bare.pth"))
    runner.load_or_resume()
    assert weight(runner) == 7
    torch.save(dict(height=torch.tensor([7.0])), tmp_path / "bare.pth")
    runner = tiny_runner(custom_hooks=STRICT, load_from=str(tmp_path / "bare.pth"))
    with pytest.raises(CheckpointMismatchError, match="height"):
        runner.load_or_resume()


def test_prefix_of_ddp(tiny_runner, tmp_path):
    weights = {"module.weight": torch.tensor([7.0])}
    torch.save(dict(state_dict=weights, meta={}), tmp_path / "ddp.pth")
    runner = tiny_runner(custom_hooks=STRICT, load_from=str(tmp_path / "ddp.pth"))
    runner.load_or_resume()
    assert weight(runner) == 7


def test_wrapped_model():
    """Under DDP the runner's model is a wrapper, the checkpoint's weights are not wrapped."""
    model = torch.nn.Linear(2, 2)
    runner = SimpleNamespace(model=torch.nn.DataParallel(model), _load_from="a.pth", _resume=False)
    hook = StrictCheckpointHook()
    hook.after_load_checkpoint(runner, dict(state_dict=model.state_dict()))
    with pytest.raises(CheckpointMismatchError, match=r"^a\.pth"):
        hook.after_load_checkpoint(runner, dict(state_dict=dict(weight=torch.ones(2, 2))))


@pytest.mark.parametrize("missing", ["meta", "message_hub", "optimizer"])
def test_a_run_is_not_resumed_from_weights_alone(tiny_runner, trained, missing):
    checkpoint = torch.load(trained, weights_only=True)
    del checkpoint[missing]
    torch.save(checkpoint, trained)
    with pytest.raises(CheckpointMismatchError, match=rf"{trained}: holds .*\(no {missing}\)"):
        tiny_runner(custom_hooks=STRICT, resume=True).load_or_resume()
    tiny_runner(custom_hooks=STRICT, load_from=str(trained)).load_or_resume()
