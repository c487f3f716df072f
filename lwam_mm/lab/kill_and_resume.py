"""Kill a training again and again, resume it, and compare it with an undisturbed one."""

from __future__ import annotations

import itertools
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
    """Train once undisturbed and once with kills, and compare the checkpoints.

    The moments are drawn uniformly from the start of a process on, so that some fall into its
    start, an iteration, a validation or the writing of a checkpoint. Data workers are killed too.
    If a training ends before all kills, the rest of them goes to another training.

    Args:
        config: A training; it should write a checkpoint every few iterations.
        folder: Folder of the work dirs ``undisturbed`` and ``killed_N``; must not exist yet.
        kills: Number of kills.
        seed: Seed of the moments.
        say: Called with each line of the log.

    Returns:
        Whether weights, optimizer, schedule, early stopping and best checkpoints are bit-identical.

    Raises:
        FileExistsError: If ``folder`` exists.
        lwam_mm.utils.errors.UserError: If a training fails without being killed.
    """
    if folder.exists():
        raise FileExistsError(f"{folder}: exists already; remove it or choose another --work-dir")
    config.default_hooks.logger.interval = 1  # the log then has each iteration
    draw = random.Random(seed)
    undisturbed = _TrainingProcess(config, folder / "undisturbed", "run_0")
    start_up = undisturbed.seconds_to_first_iteration()
    whole = undisturbed.join()
    say(f"undisturbed: {whole:.1f} s, of which {start_up:.1f} s to the first iteration")

    # Even if no process gets beyond half of this, the last kill meets a running training.
    longest = start_up + 2 * (whole - start_up) / kills
    done, trainings, same = 0, 0, True
    while done < kills:
        trainings += 1
        work_dir = folder / f"killed_{trainings}"
        for starts in itertools.count(1):
            process = _TrainingProcess(config, work_dir, f"run_{starts}")
            if done == kills:
                process.join()
                say(f"left alone to its end: {process.state()}")
                break
            moment = draw.uniform(0, longest)
            if not process.kill(moment):
                say(f"training {trainings} ended before kill {done + 1}")
                break
            done += 1
            state = process.state()
            say(f"kill {done:2} of {kills}: {moment:5.2f} s after start {starts}, {state}")
        found = list(differences(folder / "undisturbed", work_dir))
        same = same and not found
        for difference in found:
            say(f"training {trainings} differs from the undisturbed: {difference}")
        if not found:
            say(f"training {trainings} is the undisturbed one to the last bit")
    return same


def differences(one: Path, other: Path) -> Iterator[str]:
    """Describe how the last and the best checkpoints of two work dirs differ."""
    last = [Path((work_dir / "last_checkpoint").read_text().strip()) for work_dir in (one, other)]
    best = [{path.name for path in work_dir.glob("best_*.pth")} for work_dir in (one, other)]
    if best[0] != best[1]:
        yield f"best checkpoints: {sorted(best[0])} and {sorted(best[1])}"
    for left, right in (last, *((one / name, other / name) for name in sorted(best[0] & best[1]))):
        if left.name != right.name:
            yield f"last checkpoint: {left.name} and {right.name}"
            continue
        a, b = (torch.load(path, map_location="cpu", weights_only=True) for path in (left, right))
        for key in _COMPARED:
            yield from (f"{left.name}: {text}" for text in _compare(a.get(key), b.get(key), key))
        scores = [found["message_hub"]["runtime_info"].get("best_score") for found in (a, b)]
        if scores[0] != scores[1]:
            yield f"{left.name}: best score {scores[0]} and {scores[1]}"


def _compare(a: Any, b: Any, at: str) -> Iterator[str]:
    if type(a) is not type(b):
        yield f"{at}: {type(a).__name__} and {type(b).__name__}"
    elif isinstance(a, list | tuple):
        yield from _compare(dict(enumerate(a)), dict(enumerate(b)), at)
    elif isinstance(a, dict):
        for key in a.keys() | b.keys():
            yield from _compare(a.get(key), b.get(key), f"{at}.{key}")
    elif isinstance(a, torch.Tensor):
        if a.dtype != b.dtype or a.numpy().tobytes() != b.numpy().tobytes():
            yield at
    elif a != b:
        yield f"{at}: {a!r} and {b!r}"


class _TrainingProcess:
    """A process that trains, resuming if there is something to resume from.

    It is forked: that saves the seconds of importing, in which a kill would prove nothing.
    """

    def __init__(self, config: Config, work_dir: Path, name: str) -> None:
        self._work_dir = work_dir
        self._output = work_dir.parent / f"{work_dir.name}_{name}.txt"
        self._output.parent.mkdir(parents=True, exist_ok=True)
        self._began = time.monotonic()
        self._old_logs = set(work_dir.glob("*/vis_data/scalars.json"))
        self._process = multiprocessing.get_context("fork").Process(
            target=_train, args=(config, work_dir, name, self._output)
        )
        self._process.start()

    def join(self) -> float:
        """Wait for a successful end; return the seconds since the start."""
        self._process.join()
        if self._process.exitcode:
            raise UserError(
                f"{self._work_dir}: the training failed without being killed, with exit status "
                f"{self._process.exitcode}; its output is in {self._output}"
            )
        return time.monotonic() - self._began

    def kill(self, seconds: float) -> bool:
        """Kill it and its data workers that long after its start; return False if it has ended."""
        self._process.join(max(0.0, self._began + seconds - time.monotonic()))
        if not self._process.is_alive():
            self.join()
            return False
        self._process.kill()
        with suppress(ProcessLookupError):  # it had not made its process group yet
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()
        return True

    def seconds_to_first_iteration(self) -> float:
        while self._process.is_alive() and self._iteration() is None:
            time.sleep(0.02)
        return time.monotonic() - self._began

    def state(self) -> str:
        """Describe where it began, how far it came and what it left half-written."""
        output = self._output.read_text() if self._output.is_file() else ""
        iteration, resumed = self._iteration(), re.search(r"Resumed from (\S+)\.(?:\s|$)", output)
        if resumed:
            origin = f"resumed from {Path(resumed[1]).name}"
        elif "nothing to resume from" in output:
            origin = "from the beginning"
        else:
            origin = "before it had found its checkpoint"
        reached = "before its first iteration" if iteration is None else f"iteration {iteration}"
        unfinished = sorted(path.name for path in self._work_dir.glob(".*.tmp"))
        return ", ".join([reached, origin, *(f"{name} half-written" for name in unfinished)])

    def _iteration(self) -> int | None:
        new = set(self._work_dir.glob("*/vis_data/scalars.json")) - self._old_logs
        for line in reversed([line for path in new for line in path.read_text().splitlines()]):
            with suppress(json.JSONDecodeError):  # half a line
                if "iter" in (scalars := json.loads(line)):
                    return scalars["iter"]
        return None


def _train(config: Config, work_dir: Path, name: str, output: Path) -> None:
    os.setpgid(0, 0)
    # Threads do not survive a fork; a single one of torch gives the same bits everywhere.
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        config.work_dir, config.resume = str(work_dir), True
        # mmengine names this folder by the second, in which another start could fall.
        config.visualizer.save_dir = str(work_dir / name)
        try:
            train(config)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
