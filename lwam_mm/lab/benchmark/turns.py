"""Rows take turns, one call each a round, so that a noisy machine is fair to all."""

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
from typing import Any

from lwam_mm.utils.errors import UserError

WARM_UP = 2
_SLOW_MS = 1000.0
_LONGEST_SECONDS = 900.0
_QUIT_SECONDS = 10.0


class WorkerError(UserError, RuntimeError):
    """A row's process failed, died or hung."""


class Worker:
    """A process that measures one job; see :mod:`lwam_mm.lab.benchmark.worker`.

    Args:
        job: what to measure; see :func:`lwam_mm.lab.benchmark.jobs.prepare`.
        threads: threads of every library that takes their number from the environment.
        patience: seconds that an answer may take.

    Attributes:
        load: milliseconds until the model was loaded, its libraries' import included.
        first: milliseconds of the first call.

    Raises:
        WorkerError: the job cannot be done.
    """

    def __init__(
        self, job: Mapping[str, Any], threads: int, patience: float = _LONGEST_SECONDS
    ) -> None:
        self._patience = patience
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  close() closes it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lwam_mm.lab.benchmark.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )
        try:
            answer = self._ask(dict(job))
        except BaseException:
            self.close()
            raise
        self.load: float = answer["load"]
        self.first: float = answer["first"]

    def run(self) -> float:
        """Call it once; return its milliseconds.

        Raises:
            WorkerError: it failed, died or hung.
        """
        return self._ask("run")["ms"]

    def peak_memory(self) -> float | None:
        """Return the most memory that the process held so far, in MB; None if unknown.

        Raises:
            WorkerError: it died or hung.
        """
        return self._ask("memory")["peak"]

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

    def _ask(self, order: object) -> dict[str, Any]:
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(self._obituary()) from None
        if not select.select([self._process.stdout], [], [], self._patience)[0]:
            self._process.kill()
            raise WorkerError(f"no answer within {self._patience:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(self._obituary())
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _obituary(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        cause = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"its process {cause}" + (f" and said: {said[-1]}" if said else "")


@dataclass
class Timed:
    """What was measured of a row.

    Attributes:
        milliseconds: of each call that counts, in the order of the rounds.
        peak: the most memory its process held, in MB (10^6 bytes); None if unknown.
        error: why there is nothing, or nothing more; empty if all went well.
    """

    milliseconds: list[float] = field(default_factory=list)
    peak: float | None = None
    error: str = ""


def rounds_between(milliseconds: float) -> int:
    """Say how often a row of this speed has its turn: in each round, each second, each third...

    One that takes a second or more would otherwise use up the time in which the quick ones, whose
    tail is of interest, are called often enough.
    """
    return 1 + int(milliseconds // _SLOW_MS)


def take_turns(
    jobs: Mapping[str, Mapping[str, Any]],
    threads: int,
    rounds: int,
    progress: Callable[[str], None] = lambda line: None,
    open_worker: Callable[[Mapping[str, Any], int], Worker] = Worker,
) -> dict[str, Timed]:
    """Measure jobs side by side, each in a process of its own, one call at a time.

    Args:
        jobs: what to measure by key.
        threads: threads that each may use.
        rounds: how many count, after :data:`WARM_UP` that do not; slow rows have their turn in
            some of them only, see :func:`rounds_between`.
        progress: called with one line of text now and then.
        open_worker: starts a job's process.

    Returns:
        What was measured by key; a row that fails ends with its error, and the others go on.
    """
    results = {key: Timed() for key in jobs}
    workers: dict[str, Worker] = {}
    every: dict[str, int] = {}
    try:
        for key, job in jobs.items():
            progress(f"load {key}")
            try:
                workers[key] = open_worker(job, threads)
                every[key] = rounds_between([workers[key].run() for _ in range(WARM_UP)][-1])
            except WorkerError as error:
                results[key].error = str(error)
                progress(f"{key}: {error}")
        started = time.monotonic()
        for round_ in range(rounds):
            for key, worker in list(workers.items()):
                if results[key].error or round_ % every[key]:
                    continue
                try:
                    results[key].milliseconds.append(worker.run())
                except WorkerError as error:
                    results[key].error = str(error)
                    progress(f"{key}: {error}")
            if _is_milestone(round_ + 1, rounds):
                left = (time.monotonic() - started) / (round_ + 1) * (rounds - round_ - 1)
                progress(f"round {round_ + 1} of {rounds}, {left:.0f} s left")
        for key, worker in workers.items():
            if not results[key].error:
                try:
                    results[key].peak = worker.peak_memory()
                except WorkerError as error:
                    results[key].error = str(error)
    finally:
        for worker in workers.values():
            worker.close()
    return results


def _is_milestone(done: int, rounds: int) -> bool:
    return done in (1, rounds) or done * 10 // rounds > (done - 1) * 10 // rounds
