"""Kill a training again and again, resume it, and compare it with one that nobody disturbed."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.config import Config

from lwam_mm.engine.launch import train
from lwam_mm.utils.errors import UserError

_COMPARED = ("state_dict", "ema_state_dict", "optimizer", "param_schedulers", "early_stopping")


def kill_and_resume(
    config: Config, folder: Path, kills: int, seed: int, say: Callable[[str], None]
) -> bool:
    """Train once undisturbed, once with kills, and compare what is left.

    The moments are drawn evenly from the start of a process on, so that some fall into its
    start, some into an iteration, a validation or a checkpoint being written. Each process is
    killed with its data workers. If a training ends before all kills were dealt out, the rest
    goes to another one.

    Args:
        config: a training; it should write a checkpoint every few iterations.
        folder: for the work dirs, ``undisturbed`` and ``killed_N``; must not exist yet.
        kills: how many.
        seed: of the moments.
        say: takes a line of the log.

    Returns:
        Whether weights, optimizer, schedule, early stop and best checkpoints are the same to the
        last bit.

    Raises:
        FileExistsError: there is something at ``folder``.
        lwam_mm.utils.errors.UserError: a training failed of itself.
    """
    if folder.exists():
        raise FileExistsError(f"{folder}: is there already; remove it or give another --work-dir")
    config.default_hooks.logger.interval = 1  # the log then knows each iteration
    draw = random.Random(seed)
    began, undisturbed = time.monotonic(), folder / "undisturbed"
    run = _Run(config, undisturbed, "run_0")
    start_up = run.seconds_to_first_iteration()
    run.end()
    whole = time.monotonic() - began
    say(f"undisturbed: {whole:.1f} s, of which {start_up:.1f} s to the first iteration")

    # Even if no process got further than its first half, the last kill meets a running training.
    longest = start_up + 2 * (whole - start_up) / kills
    dealt, trainings = 0, 0
    same = True
    while dealt < kills:
        trainings += 1
        work_dir = folder / f"killed_{trainings}"
        starts = 0
        while dealt < kills:
            starts += 1
            run = _Run(config, work_dir, f"run_{starts}")
            moment = draw.uniform(0, longest)
            if run.is_over(moment):
                run.end()
                say(f"training {trainings} ended before kill {dealt + 1}")
                break
            run.kill()
            dealt += 1
            say(f"kill {dealt:2} of {kills}: {moment:5.2f} s after start {starts}, {run.state()}")
        else:
            run = _Run(config, work_dir, f"run_{starts + 1}")
            run.end()
            say(f"left alone to its end: {run.state()}")
        found = list(differences(undisturbed, work_dir))
        same = same and not found
        for difference in found:
            say(f"training {trainings} differs from the undisturbed: {difference}")
        if not found:
            say(f"training {trainings} is the undisturbed one to the last bit")
    return same


def differences(one: Path, other: Path) -> Iterator[str]:
    """Name what differs between the last, and the best, checkpoints of two work dirs."""
    last = [(work_dir / "last_checkpoint").read_text().strip() for work_dir in (one, other)]
    pairs = [tuple(Path(path) for path in last)]
    best = [{path.name for path in work_dir.glob("best_*.pth")} for work_dir in (one, other)]
    if best[0] != best[1]:
        yield f"best checkpoints: {sorted(best[0])} and {sorted(best[1])}"
    pairs += [(one / name, other / name) for name in sorted(best[0] & best[1])]
    for left, right in pairs:
        if left.name != right.name:
            yield f"last checkpoint: {left.name} and {right.name}"
            continue
        a, b = (torch.load(path, map_location="cpu", weights_only=True) for path in (left, right))
        for key in _COMPARED:
            yield from (f"{left.name}: {at}" for at in _unlike(a.get(key), b.get(key), key))
        scores = [
            checkpoint["message_hub"]["runtime_info"].get("best_score") for checkpoint in (a, b)
        ]
        if scores[0] != scores[1]:
            yield f"{left.name}: best score {scores[0]} and {scores[1]}"


def _unlike(a: Any, b: Any, at: str) -> Iterator[str]:
    if type(a) is not type(b):
        yield f"{at}: {type(a).__name__} and {type(b).__name__}"
    elif isinstance(a, dict):
        for key in a.keys() | b.keys():
            yield from _unlike(a.get(key), b.get(key), f"{at}.{key}")
    elif isinstance(a, list | tuple):
        if len(a) != len(b):
            yield f"{at}: {len(a)} and {len(b)} items"
        for index, (left, right) in enumerate(zip(a, b, strict=False)):
            yield from _unlike(left, right, f"{at}[{index}]")
    elif isinstance(a, torch.Tensor):
        if a.dtype != b.dtype or a.numpy().tobytes() != b.numpy().tobytes():
            yield at
    elif a != b:
        yield f"{at}: {a!r} and {b!r}"


class _Run:
    """One process that trains, resuming where there is something to resume from.

    It is forked: that spares it the seconds of importing, in which a kill would prove nothing.
    """

    def __init__(self, config: Config, work_dir: Path, name: str) -> None:
        self.work_dir, self.output = work_dir, work_dir.parent / f"{work_dir.name}_{name}.txt"
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self._began, self._known = time.monotonic(), set(work_dir.glob("*/vis_data/scalars.json"))
        self._process: BaseProcess = multiprocessing.get_context("fork").Process(
            target=_train, args=(config, work_dir, name, self.output)
        )
        self._process.start()

    def is_over(self, seconds: float) -> bool:
        """Wait until so many seconds after the start, or the end."""
        self._process.join(max(0.0, self._began + seconds - time.monotonic()))
        return not self._process.is_alive()

    def end(self) -> None:
        """Wait for the end, which has to be a good one."""
        self._process.join()
        if self._process.exitcode:
            raise UserError(
                f"{self.work_dir}: the training failed of itself, with exit status "
                f"{self._process.exitcode}; its output is in {self.output}"
            )

    def kill(self) -> None:
        """Kill the process and its data workers, at once."""
        self._process.kill()
        with suppress(ProcessLookupError):  # killed before it had a group of its own
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()

    def seconds_to_first_iteration(self) -> float:
        while self._process.is_alive() and self._iteration() is None:
            time.sleep(0.02)
        return time.monotonic() - self._began

    def state(self) -> str:
        """Say how far it came, from where, and what it left half-written."""
        output = self.output.read_text() if self.output.is_file() else ""
        iteration, resumed = self._iteration(), re.search(r"Resumed from (\S+)\.(?:\s|$)", output)
        if resumed:
            origin = f"going on from {Path(resumed[1]).name}"
        elif "nothing to resume from" in output:
            origin = "from the beginning"
        else:
            origin = "before it had found its checkpoint"
        reached = "before its first iteration" if iteration is None else f"iteration {iteration}"
        unfinished = sorted(path.name for path in self.work_dir.glob(".*.tmp"))
        return ", ".join([reached, origin, *(f"{name} half-written" for name in unfinished)])

    def _iteration(self) -> int | None:
        new = set(self.work_dir.glob("*/vis_data/scalars.json")) - self._known
        lines = [line for path in new for line in path.read_text().splitlines()]
        for line in reversed(lines):
            with suppress(json.JSONDecodeError):  # half a line
                if "iter" in (row := json.loads(line)):
                    return row["iter"]
        return None


def _train(config: Config, work_dir: Path, name: str, output: Path) -> None:
    os.setpgid(0, 0)
    # Threads do not survive a fork; one of torch's gives the same bits everywhere.
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        config.work_dir, config.resume = str(work_dir), True
        # Starts within a second would share the folder that mmengine names after the time.
        config.visualizer.save_dir = str(work_dir / name)
        try:
            train(config)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
