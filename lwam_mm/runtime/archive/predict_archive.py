"""Segments archives of millions of images with many workers, by Ray."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lwam_mm.runtime.archive.work_list import Outcome, Rows, Task, WorkList
from lwam_mm.runtime.archive.worker import Worker
from lwam_mm.runtime.errors import EngineError, SettingError
from lwam_mm.runtime.predict_files import (
    WORK_LIST_NAME,
    PredictedImage,
    check_out,
    describe,
    remove_results,
    write_table,
)
from lwam_mm.runtime.predictor import Predictor

_BATCH = 16  # images: handing out a batch takes about a millisecond
_STARTS = 3  # so many workers in a row that end before they begin are no accident
_OBJECTS = 100 * 2**20  # bytes of memory that Ray shares between local workers: results are small


@dataclass(frozen=True)
class ArchiveRun:
    """What became of every input, as `PredictionRun`, but read from the list on disk.

    Attributes:
        predicted: The images with results.
        kept: How many of them an earlier run had predicted.
        failed: Each image or folder that could not be predicted, and why.
        skipped: Each path that is no image, or was given before under another name, and why.
    """

    predicted: Rows[PredictedImage]
    kept: int
    failed: Rows[tuple[Path, str]]
    skipped: Rows[tuple[Path, str]]


def predict_archive(
    predictor: Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    workers: int | None = None,
    address: str | None = None,
    threads: int = 1,
    probabilities: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> ArchiveRun:
    """Do as `predict_files` with many workers, and go on where an earlier run ended.

    The results are those of `predict_files`, in the same files. An image is predicted again only if
    it, its results, the bundle or the region of interest changed. The list of images is the
    database ``predicted.sqlite`` in ``out``; the memory needed does not grow with it.

    On several machines, the bundle, the images and ``out`` have the same paths on each.

    Args:
        predictor: The loaded bundle.
        inputs: Image files and folders of images; the table has their absolute paths.
        out: Folder to write to; created.
        workers: Number of worker processes; None takes what the cluster has processors for.
        address: Of a running Ray cluster; None starts the workers on this machine.
        threads: CPU threads of each worker: as many as the predictor has.
        probabilities: Also write the classes' probabilities.
        progress: Called with one line of text after each image that was predicted.

    Raises:
        SettingError: Ray is not installed, or there is no cluster.
        OutputError: ``out`` is a file or used by another run, or a result would overwrite an input
            or a file that is not a result of an earlier run.
        BundleError: The bundle is not the same on another machine.
        EngineError: Workers end before they begin.
        OSError: The list or the table cannot be written.
    """
    out = Path(out).absolute()
    if workers is not None and workers < 1:
        raise SettingError(f"workers is {workers}: give 1 or more")
    check_out(out, [])
    with _ray(address, workers, threads) as ray:
        work = WorkList(out / WORK_LIST_NAME, _settings(predictor, probabilities))
        try:
            work.collect([Path(path).absolute() for path in inputs])
            check_out(out, work.named())
            # An old table must not describe new results; a table also marks the folder as theirs.
            write_table(out, [], predictor.classes)
            crew = _Crew(ray, predictor, out, probabilities, threads)
            workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
            try:
                kept = _report(work, crew.run(work.batches(_BATCH), workers), progress)
            finally:
                write_table(out, work.predicted, predictor.classes)
            work.release()
            return ArchiveRun(work.predicted, kept, work.failed, work.skipped)
        except sqlite3.Error as error:
            raise OSError(
                f"{out / WORK_LIST_NAME} cannot be written: {error}: make room, and run again: it "
                "goes on from there"
            ) from error
        except BaseException:
            work.close()
            raise


def _report(
    work: WorkList, finished: Iterator[list[Outcome]], progress: Callable[[str], None]
) -> int:
    """Record what is finished and say it; return how much an earlier run had done."""
    count = kept = 0
    total = len(work)
    for outcomes in finished:
        work.record(outcomes)
        for outcome in outcomes:
            count += 1
            if outcome.result is None:
                kept += 1
            else:
                progress(f"[{count}/{total}] {outcome.task.file}: {describe(outcome.result)}")
    return kept


class _Crew:
    """The workers: each has one batch at a time, and one that ends is replaced."""

    def __init__(
        self, ray: Any, predictor: Predictor, out: Path, probabilities: bool, threads: int
    ) -> None:
        self._ray, self._out = ray, out
        self._kind = ray.remote(num_cpus=threads, scheduling_strategy="SPREAD")(Worker)
        self._arguments = (ray.put(pickle.dumps(predictor)), out, probabilities)
        # What was asked of which worker; no tasks: to start.
        self._asked: dict[Any, tuple[Any, list[Task]]] = {}
        self._lost: deque[list[Task]] = deque()
        self._alone: set[int] = set()
        self._starts = 0

    def run(self, batches: Iterator[list[Task]], workers: int) -> Iterator[list[Outcome]]:
        """Yield what became of the batches, in the order in which they end."""
        following = next(batches, None)
        for _ in range(workers if following else 0):
            self._start()
        while following or self._lost or any(tasks for _, tasks in self._asked.values()):
            (answer,), _ = self._ray.wait(list(self._asked))
            worker, tasks = self._asked.pop(answer)
            try:
                outcomes = self._ray.get(answer)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except self._ray.exceptions.RayError as error:
                outcomes = self._bury(tasks, error)
                self._start()
            else:
                self._starts = 0
                if self._lost:
                    self._ask(worker, self._lost.popleft())
                elif following:
                    self._ask(worker, following)
                    following = next(batches, None)
            if outcomes:
                yield outcomes

    def _start(self) -> None:
        worker = self._kind.remote(*self._arguments)
        self._asked[worker.start.remote()] = (worker, [])

    def _ask(self, worker: Any, tasks: list[Task]) -> None:
        self._asked[worker.predict.remote(tasks)] = (worker, tasks)

    def _bury(self, tasks: list[Task], error: Exception) -> list[Outcome]:
        """Give the tasks of a worker that ended to other workers, one by one.

        A task over which a second worker ends has failed.
        """
        if not tasks:
            self._starts += 1
            if self._starts >= _STARTS:
                raise EngineError(f"workers end before they begin: {error}") from error
            return []
        if len(tasks) == 1:
            (task,) = tasks
            if task.position in self._alone:
                reason = f"{task.file}: a worker ended twice over it, out of memory perhaps"
                return [Outcome(task, reason + remove_results(self._out, task.name))]
            self._alone.add(task.position)
        self._lost.extend([task] for task in tasks)
        return []


def _settings(predictor: Predictor, probabilities: bool) -> str:
    roi = "" if predictor.roi is None else predictor.roi.sha256()
    return f"{predictor.bundle.manifest.to_json()}\n{roi}\n{probabilities}"


@contextmanager
def _ray(address: str | None, workers: int | None, threads: int) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine."""
    try:
        import ray
    except ImportError as error:
        raise SettingError(
            "several workers need Ray, which is not installed: pip install 'lwam-mm[cluster]'"
        ) from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    options: dict[str, Any] = {}
    if address is None:
        workers = workers or max(1, (os.cpu_count() or 1) // threads)
        options = {
            "num_cpus": workers * threads,
            "include_dashboard": False,
            "object_store_memory": _OBJECTS,
        }
    try:
        if address is not None:
            _reach(address)
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingError(
            f"no Ray cluster answers at {address or 'this machine'} ({error}): give the address "
            "that `ray start --head` says"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise OSError or ValueError if nobody listens: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
