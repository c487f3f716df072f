"""Time tasks fairly: each in its own process, interleaved, so that noise hits all alike."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from lwam_mm.lab.benchmark.worker import Task
from lwam_mm.utils.errors import UserError

Progress = Callable[[str], None]
"""Receives one line of text at each step."""

WARM_UP = 2
"""Calls after the first that do not count."""

_SLOW_MS = 1000.0
_LONGEST_SECONDS = 900.0
_QUIT_SECONDS = 10.0
_LATER_CALLS, _IMPORTS = 5, 5
_IMPORT = (
    "import time; start = time.perf_counter(); import lwam_mm.runtime; "
    "print(time.perf_counter() - start)"
)


class WorkerError(UserError, RuntimeError):
    """A worker process failed, died or hung."""


class WorkerProcess(contextlib.AbstractContextManager):
    """A process that runs one task; see :mod:`lwam_mm.lab.benchmark.worker`.

    Args:
        task: The task to load; it is called once.
        threads: Threads of every library that reads their number from the environment.
        timeout: Seconds to wait for an answer.

    Attributes:
        load: Milliseconds that loading took, imports included.
        first: Milliseconds of the first call.
        busy: Milliseconds of processor time that the threads of the last call took together.
        peak: Peak memory so far in MB (10^6 bytes); None if unknown.
        results: What the calls returned, the first included.

    Raises:
        WorkerError: The task cannot be loaded or called.
    """

    def __init__(self, task: Task, threads: int, timeout: float = _LONGEST_SECONDS) -> None:
        self.peak: float | None = None
        self.busy = 0.0
        self.results: list[Any] = []
        self._timeout = timeout
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  close() closes it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lwam_mm.lab.benchmark.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )
        try:
            answer = self._ask(dict(task))
        except BaseException:
            self.close()
            raise
        self.load: float = answer["load"]
        self.first: float = answer["ms"]

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self) -> float:
        """Call the task once; return the milliseconds, or raise WorkerError."""
        return self._ask("run")["ms"]

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_QUIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _ask(self, request: object) -> dict[str, Any]:
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(self._cause_of_death()) from None
        if not select.select([self._process.stdout], [], [], self._timeout)[0]:
            self._process.kill()
            raise WorkerError(f"no answer within {self._timeout:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(self._cause_of_death())
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        self.peak, self.busy = answer["peak"], answer["busy"]
        self.results.append(answer["result"])
        return answer

    def _cause_of_death(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        cause = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"its process {cause}" + (f" and said: {lines[-1]}" if lines else "")


@dataclass
class Timing:
    """The measured calls of one task.

    Attributes:
        milliseconds: Duration of each call that counts, in order.
        results: What every call returned, the first call and the warm-up included.
        peak: Peak memory of the process in MB (10^6 bytes); None if unknown.
        error: Why there are no calls, or no more; empty if all went well.
    """

    milliseconds: list[float] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    peak: float | None = None
    error: str = ""

    def percentile(self, percent: float) -> float | None:
        """Return the measured duration that ``percent`` percent of the calls do not exceed."""
        if not self.milliseconds:
            return None
        return float(np.percentile(self.milliseconds, percent, method="inverted_cdf"))

    @property
    def median(self) -> float | None:
        """Median duration in milliseconds; None without a call."""
        return median(self.milliseconds) if self.milliseconds else None


def round_interval(milliseconds: float) -> int:
    """Return every how many rounds a task of this duration runs: 1, from one second on 2, 3, ...

    Slow tasks thus leave time to call the quick ones, whose tail is of interest, often enough.
    """
    return 1 + int(milliseconds // _SLOW_MS)


def time_interleaved(
    tasks: Mapping[str, Task], threads: int, rounds: int, progress: Progress
) -> dict[str, Timing]:
    """Time tasks side by side, each in its own process, one call per round.

    Args:
        tasks: What to measure by key.
        threads: Threads that each task may use.
        rounds: Rounds that count, after :data:`WARM_UP` calls of each task. Slow tasks skip some,
            see :func:`round_interval`.
        progress: Receives one line of text now and then.

    Returns:
        What was measured by key. A task that fails keeps its error; the others go on.
    """
    timings = {key: Timing() for key in tasks}
    workers: dict[str, WorkerProcess] = {}
    intervals: dict[str, int] = {}

    @contextlib.contextmanager
    def failure_noted(key: str):
        try:
            yield
        except WorkerError as error:
            workers.pop(key, None)
            timings[key].error = str(error)
            progress(f"{key}: {error}")

    with contextlib.ExitStack() as processes:
        for key, task in tasks.items():
            progress(f"load {key}")
            with failure_noted(key):
                workers[key] = processes.enter_context(WorkerProcess(task, threads))
                timings[key].results = workers[key].results
                # The last call: the earlier ones may still fill caches. Its processor time, if
                # that is less: what else the machine does makes no task slow.
                milliseconds = [workers[key].run() for _ in range(WARM_UP)][-1]
                intervals[key] = round_interval(min(milliseconds, workers[key].busy))
        started = time.monotonic()
        for done in range(rounds):
            for key, worker in list(workers.items()):
                if done % intervals[key] == 0:
                    with failure_noted(key):
                        timings[key].milliseconds.append(worker.run())
            # The first round, the last, and each tenth between.
            if done in (0, rounds - 1) or (done + 1) * 10 // rounds > done * 10 // rounds:
                left = (time.monotonic() - started) / (done + 1) * (rounds - done - 1)
                progress(f"round {done + 1} of {rounds}, {left:.0f} s left")
        for key, worker in workers.items():
            timings[key].peak = worker.peak
    return timings


@dataclass(frozen=True)
class StartUp:
    """How long a fresh process takes to predict image files with a bundle.

    Attributes:
        title: Name on the page.
        first_ever: Seconds from before the import of the engine to the first class map, of a
            process that loads the bundle for the first time ever.
        start: The same for the next process, which finds the first one's caches.
        later: Median seconds of a later prediction.
        peak: Peak memory of the process in MB (10^6 bytes); None if unknown.
    """

    title: str
    first_ever: float
    start: float
    later: float
    peak: float | None


def time_start_up(title: str, bundle: Path, picture: Path, threads: int) -> StartUp:
    """Start a predictor of a bundle in two fresh processes, one after the other.

    Raises:
        WorkerError: A process failed.
    """
    function = "lwam_mm.lab.benchmark.worker:file_to_map"
    task = dict(function=function, bundle=str(bundle), picture=str(picture), threads=threads)
    seconds = []
    for _ in range(2):
        with WorkerProcess(task, threads) as worker:
            seconds.append((worker.load + worker.first) / 1000)
            later = median(worker.run() / 1000 for _ in range(_LATER_CALLS))
            peak = worker.peak
    return StartUp(title, *seconds, later, peak)


def import_seconds() -> float:
    """Return the median seconds that ``import lwam_mm.runtime`` takes in a fresh process."""
    return median(
        float(subprocess.check_output([sys.executable, "-c", _IMPORT])) for _ in range(_IMPORTS)
    )
