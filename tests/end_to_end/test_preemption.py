"""A training is told to end, as Slurm does it: every process of the job gets SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import torch
from miniature import STUDENT

pytestmark = pytest.mark.end_to_end


def test_training_saves_ends_with_its_status_and_goes_on(
    tmp_path, repository, configs, options, run_tool
):
    long = [
        "train_cfg.max_iters=500",
        "default_hooks.checkpoint.interval=400",
        "train_dataloader.num_workers=1",
    ]
    arguments = [configs / f"{STUDENT}.py", "--work-dir", "work", "--resume"]
    training = subprocess.Popen(
        [
            sys.executable,
            str(repository / "tools" / "train.py"),
            *map(str, arguments),
            *options(STUDENT, True, *long),
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a process group of its own
    )
    said = []
    for line in training.stdout:
        said.append(line)
        if line.startswith("iteration   3/500"):
            os.killpg(training.pid, signal.SIGTERM)
    assert training.wait(60) == 75, "".join(said)[-4000:]
    (saved,) = (tmp_path / "work").glob("iter_*.pth")
    done = torch.load(saved, weights_only=True)["meta"]["iter"]
    told = f"saved {saved} after iteration {done}. Continue with --resume. Exit status 75."
    assert told in "".join(said)
    assert 3 <= done < 400

    last = f"train_cfg.max_iters={done + 2}"
    resumed = run_tool("train.py", *arguments, *options(STUDENT, True, last), cwd=tmp_path)
    assert f"Resumed from {saved}." in resumed.stdout
    trained = [line for line in resumed.stdout.splitlines() if line.startswith("iteration")]
    assert [line.split()[1] for line in trained] == [f"{done + n}/{done + 2}" for n in (1, 2)]
