"""Executing runs side by side on this machine, each once its teacher is finished."""

from __future__ import annotations

import itertools
import os
import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from lwam_mm.lab.studies.evaluate_run import checkpoint_of
from lwam_mm.lab.studies.execute_run import Processes
from lwam_mm.lab.studies.run import Run
from lwam_mm.lab.studies.study import StudyError
from lwam_mm.utils.errors import UserError


def split_cores(cores: Sequence[int], jobs: int) -> list[tuple[int, ...]]:
    """Divide the numbers of cores into ``jobs`` shares of about equal size.

    Raises:
        StudyError: If a share would be empty.
    """
    if jobs > len(cores):
        raise StudyError(
            f"--jobs {jobs}: this process may use {len(cores)} core(s), and two trainings on one "
            f"core only slow each other down; use at most {len(cores)}"
        )
    # Neighbours together: they share caches.
    bounds = [len(cores) * job // jobs for job in range(jobs + 1)]
    return [tuple(cores[a:b]) for a, b in itertools.pairwise(bounds)]


class LocalQueue:
    """Executes so many jobs at a time on this machine, each pinned to its share of the cores."""

    def __init__(self, jobs: int) -> None:
        self._shares: queue.SimpleQueue[tuple[int, ...]] = queue.SimpleQueue()
        for share in split_cores(sorted(os.sched_getaffinity(0)), jobs):
            self._shares.put(share)
        self._pool, self._processes = ThreadPoolExecutor(jobs), Processes()

    def submit(self, job: Callable[..., None]) -> Future:
        """Start a job as soon as a share is free."""
        return self._pool.submit(self._run, job)

    def close(self) -> None:
        """Tell all running processes to stop, and wait until they have."""
        self._processes.stop()
        self._pool.shutdown(cancel_futures=True)

    def _run(self, job: Callable[..., None]) -> None:
        share = self._shares.get()
        try:
            # 0 is this thread alone; the processes that it starts inherit its cores.
            os.sched_setaffinity(0, share)
            job(threads=len(share), processes=self._processes)
        finally:
            self._shares.put(share)


def run_all(
    runs: Sequence[Run],
    make_job: Callable[[Run, Path | None], Callable[..., None]],
    submit: Callable[[Callable[..., None]], Future],
    say: Callable[[str], None],
    *,
    limit: int | None = None,
    pause: float = 0.2,
) -> dict[Run, str]:
    """Execute all unfinished runs; a failed run does not stop the others.

    Args:
        runs: The runs, each after its teacher.
        make_job: Makes the job of a run, given its teacher's checkpoint.
        submit: Starts a job.
        say: Called with one line of text at each start and end.
        limit: Number of jobs submitted at a time; None submits all that can start.
        pause: Seconds between checks of the submitted jobs.

    Returns:
        The reason why a run failed or was not begun, for each such run.
    """
    waiting = [run for run in runs if not run.result_file.is_file()]
    total = len(waiting)
    say(f"{total} run(s) to do, {len(runs) - total} finished before")
    running: dict[Run, Future] = {}
    failed: dict[Run, str] = {}
    while waiting or running:
        for run in list(waiting):
            teacher = run.teacher
            if teacher is not None and not teacher.result_file.is_file():
                if teacher not in waiting and teacher not in running:
                    waiting.remove(run)
                    failed[run] = f"not begun: its teacher {teacher.name} has no result"
                continue
            if limit is not None and len(running) >= limit:
                continue
            waiting.remove(run)
            try:
                weights = None
                if teacher is not None:
                    weights = checkpoint_of(teacher.folder, run.arm.study.checkpoint).resolve()
                running[run] = submit(make_job(run, weights))
                say(f"started  {run.name}")
            except UserError as error:
                failed[run] = str(error)
        for run, job in list(running.items()):
            if not job.done():
                continue
            del running[run]
            try:
                job.result()
                say(f"finished {run.name} ({total - len(waiting) - len(running)} of {total})")
            except Exception as error:  # of any kind: the other runs continue
                failed[run] = f"{error}".strip().splitlines()[-1] if f"{error}" else repr(error)
                say(f"FAILED   {run.name}: {failed[run]}")
        if running:
            time.sleep(pause)
    return failed
