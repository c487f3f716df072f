from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from lwam_mm.engine.launch import train
from lwam_mm.lab.kill_and_resume import differences


@HOOKS.register_module()
class SigtermHook(Hook):
    """Sends this process SIGTERM at one call of one stage."""

    def __init__(self, stage: str, iteration: int) -> None:
        def send(runner, *args, **kwargs) -> None:
            if runner.iter == iteration:
                os.kill(os.getpid(), signal.SIGTERM)

        setattr(self, stage, send)


@pytest.fixture(autouse=True)
def nobody_listens():
    """A test that goes wrong must not end pytest."""
    earlier = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN  # put back by the hook
    signal.signal(signal.SIGTERM, earlier)


@pytest.mark.parametrize(
    ("kind", "moments", "saved"),
    [
        # In the middle of an epoch, in its last iteration, and in a validation.
        (
            "epoch",
            [("before_train_iter", 1), ("before_train_iter", 7), ("before_val", 12)],
            ["iter_2.pth", "iter_8.pth", "epoch_3.pth"],
        ),
        (
            "iter",
            [("before_train_iter", 4), ("before_train_iter", 7)],
            ["iter_5.pth", "iter_8.pth"],
        ),
    ],
)
def test_saves_ends_and_goes_on_to_the_last_bit(small_config, kind, moments, saved):
    for (stage, iteration), name in zip(moments, saved, strict=True):
        hook = dict(type="SigtermHook", stage=stage, iteration=iteration)
        config = small_config(kind, "told", [hook])
        config.resume = True
        with pytest.raises(SystemExit) as end:
            train(config)
        assert end.value.code == 75
        last = Path(config.work_dir, "last_checkpoint").read_text()
        assert Path(last).name == name
        assert torch.load(last, weights_only=True)["optimizer"]
    config = small_config(kind, "told")
    config.resume = True
    train(config)
    undisturbed = small_config(kind, "undisturbed")
    train(undisturbed)
    found = list(differences(Path(undisturbed.work_dir), Path(config.work_dir)))
    assert found == []
    # What was saved out of turn goes as the others do.
    left = {path.name for path in Path(config.work_dir).glob("*_*.pth")}
    assert left == {path.name for path in Path(undisturbed.work_dir).glob("*_*.pth")}


def test_gradients_that_are_accumulated_are_finished_first(small_config):
    hook = dict(type="SigtermHook", stage="before_train_iter", iteration=2)
    config = small_config("iter", "told", [hook], **{"optim_wrapper.accumulative_counts": 2})
    with pytest.raises(SystemExit):
        train(config)
    assert Path(config.work_dir, "last_checkpoint").read_text().endswith("iter_4.pth")


def test_without_the_loop_that_can_go_on_sigterm_is_left_alone(tiny_runner):
    seen = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    runner = tiny_runner(
        [1],
        checkpoint=dict(type="ResumableCheckpointsHook", interval=1),
        custom_hooks=[
            dict(type="SigtermHook", stage="before_train_iter", iteration=1),
            dict(type="PreemptionHook"),
        ],
    )
    runner.train()
    assert seen == [signal.SIGTERM]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
