"""Runs several of the real tools, one after the other, in each process that torchrun starts.

That spares the seconds of importing for each of them. How each ended goes into a file.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch.nn.modules.batchnorm import _BatchNorm

import lwam_mm.plugin  # noqa: F401


@HOOKS.register_module()
class FreezeNormsHook(Hook):
    """Has batch norms use their running statistics, as torch's SyncBN is for GPUs."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        for module in runner.model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


@HOOKS.register_module()
class SpoilHook(Hook):
    """Makes an image of the second process no number in iteration 2."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == 1 and runner.rank == 1:
            data_batch["inputs"] = [image.float() for image in data_batch["inputs"]]
            data_batch["inputs"][0][:] = float("nan")


@HOOKS.register_module()
class TellHook(Hook):
    """Sends SIGTERM to the second process in iteration 2."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == 1 and runner.rank == 1:
            os.kill(os.getpid(), 15)


@HOOKS.register_module()
class LeaveModelHook(Hook):
    """Leaves what this process has trained, whether or not it is the one that saves."""

    def after_train(self, runner) -> None:
        path = Path(runner.work_dir, f"model_{runner.rank}.pth")
        torch.save(runner.model.module.state_dict(), path)


@HOOKS.register_module()
class SayHook(Hook):
    """Leaves a file once this process has trained for an iteration."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        Path(runner.work_dir, f"trains_{runner.rank}").touch()


def run_tools(calls: dict[str, list[str]], results: Path) -> None:
    """Run each call, a name and the path and arguments of a tool."""
    results.mkdir(parents=True, exist_ok=True)
    for name, (tool, *arguments) in calls.items():
        sys.argv = [tool, *arguments]
        try:
            ended = runpy.run_path(tool)["main"]()
        except SystemExit as end:
            ended = end.code
        except ArithmeticError as error:
            ended = str(error)
        rank = os.environ.get("RANK", "0")
        (results / f"{name}_{rank}.json").write_text(json.dumps(ended))


if __name__ == "__main__":
    run_tools(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
