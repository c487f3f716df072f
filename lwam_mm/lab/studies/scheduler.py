"""Running jobs side by side, each once what it needs is there."""

from __future__ import annotations

import itertools
import os
import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from lwam_mm.lab.studies.evaluate_run import checkpoint_of
from lwam_mm.lab.studies.run_job import FAILURE, PROCESSES, Job
from lwam_mm.lab.studies.study_plan import Run
from lwam_mm.utils.errors import UserError


class Handle(Protocol):
    """What a job's start gives: futures of Python and jobs of submitit have these."""

    def done(self) -> bool:
        """Say whether it has ended, well or badly."""

    def result(self) -> None:
        """Raise what it raised."""


Submit = Callable[[Job], Handle]


class TooManyJobsError(UserError):
    """More jobs were asked for than there are cores."""


def split_cores(cores: Sequence[int], jobs: int) -> list[tuple[int, ...]]:
    """Share cores out.

    Args:
        cores: numbers of the cores that this process may use.
        jobs: number of shares, at least 1.

    Returns:
        One share a job, as equal as can be.

    Raises:
        TooManyJobsError: a job would be left without a core.
    """
    if jobs > len(cores):
        raise TooManyJobsError(
            f"--jobs {jobs}: this process may use {len(cores)} core(s); two trainings on one core "
            f"only hinder each other; use at most {len(cores)}"
        )
    # Neighbours together: they share caches.
    bounds = [len(cores) * job // jobs for job in range(jobs + 1)]
    return [tuple(cores[a:b]) for a, b in itertools.pairwise(bounds)]


class LocalEngine:
    """Runs jobs as processes of this machine, each pinned to its share of the cores.

    Args:
        jobs: how many at a time.

    Raises:
        TooManyJobsError: that is more than there are cores.
    """

    def __init__(self, jobs: int) -> None:
        self._shares: queue.SimpleQueue[tuple[int, ...]] = queue.SimpleQueue()
        for share in split_cores(sorted(os.sched_getaffinity(0)), jobs):
            self._shares.put(share)
        self._pool = ThreadPoolExecutor(jobs)

    def submit(self, job: Job) -> Handle:
        """Start a job as soon as a share is free."""
        return self._pool.submit(self._run, job)

    def close(self) -> None:
        """Ask what runs to stop, and wait until it has."""
        PROCESSES.stop()
        self._pool.shutdown(cancel_futures=True)

    def _run(self, job: Job) -> None:
        share = self._shares.get()
        try:
            # Of this thread alone (0); the processes that it starts inherit it.
            os.sched_setaffinity(0, share)
            replace(job, threads=len(share))()
        finally:
            self._shares.put(share)


def run_all(
    runs: Sequence[Run],
    make_job: Callable[[Run, Path | None], Job],
    submit: Submit,
    say: Callable[[str], None],
    *,
    limit: int | None = None,
    pause: float = 0.2,
) -> dict[Run, str]:
    """Run all that is not finished; a failed run does not stop the others.

    Args:
        runs: the runs, each behind its teacher.
        make_job: makes the job of a run, given its teacher's checkpoint.
        submit: starts a job.
        say: called with one line of text at each start and end.
        limit: how many are handed to ``submit`` at a time; None hands over all that can start.
        pause: seconds between looks at what runs.

    Returns:
        Why a run failed or was not begun, for each such run.
    """
    waiting = [run for run in runs if not run.result_file.is_file()]
    total = len(waiting)
    say(f"{total} run(s) to do, {len(runs) - total} finished before")
    running: dict[Run, Handle] = {}
    failed: dict[Run, str] = {}
    while waiting or running:
        for run in list(waiting):
            teacher = run.teacher
            ready = teacher is None or teacher.result_file.is_file()
            if not ready and teacher not in waiting and teacher not in running:
                waiting.remove(run)
                failed[run] = f"not begun: its teacher {teacher.name} has no result"
                continue
            if not ready or (limit is not None and len(running) >= limit):
                continue
            waiting.remove(run)
            try:
                job = make_job(run, _weights(teacher))
            except UserError as error:
                failed[run] = str(error)
                continue
            running[run] = submit(job)
            say(f"started  {run.name}")
        for run, handle in list(running.items()):
            if not handle.done():
                continue
            del running[run]
            try:
                handle.result()
                say(f"finished {run.name} ({total - len(waiting) - len(running)} of {total})")
            except Exception as error:  # whatever it is, the others go on
                failed[run] = f"{error}".strip().splitlines()[-1] if f"{error}" else repr(error)
                say(f"FAILED   {run.name}: {failed[run]}")
        if running:
            time.sleep(pause)
    return failed


def failure_of(run: Run) -> str | None:
    """Give the message with which an unfinished run failed when it was last tried."""
    file = run.folder / FAILURE
    return file.read_text().strip() if file.is_file() else None


def _weights(teacher: Run | None) -> Path | None:
    if teacher is None:
        return None
    return checkpoint_of(teacher.folder, teacher.arm.study.checkpoint).resolve()
