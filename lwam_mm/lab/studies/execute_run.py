"""One run from its config to its result, in separate processes."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lwam_mm.engine.hooks.preemption_hook import INTERRUPTED
from lwam_mm.lab.studies.run import Run
from lwam_mm.utils.atomic_files import write_atomically, write_json
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.paths import configs_folder
from lwam_mm.version import __version__

TRAIN = configs_folder().parent / "tools" / "train.py"
EVALUATE = ("-m", "lwam_mm.lab.studies.evaluate_run")
_ERROR = re.compile(r"(error: |[\w.]*(Error|Exception|Interrupt)\b).*")


class RunError(UserError):
    """A run's process failed; the message is its last error line."""


class InterruptedRunError(RunError):
    """A run was told to stop; --resume continues it from its newest checkpoint."""


def execute_run(
    run: Run,
    *,
    study: str,
    config: str,
    threads: int | None = None,
    processes: Processes | None = None,
) -> None:
    """Train a run, or resume its training, then evaluate it and write its result.

    The run's folder is absolute, and its config is written. Results name the files ``study`` and
    ``config`` as they are given here. ``threads`` are those of OpenMP, the environment's if None;
    ``processes`` lets the caller stop the run.

    Raises:
        RunError: If a process failed (its message is in ``failure.txt``), was told to stop, or
            another one works on this run.
    """
    with _locked(run.folder) as lock:
        run.failure_file.unlink(missing_ok=True)
        start = partial(
            (processes or Processes()).run,
            log=run.folder / "train.log",
            lock=lock,
            threads=threads,
        )
        try:
            attempts = _train(run, start)
            found = _evaluate(run, start)
        except InterruptedRunError:
            raise
        except RunError as error:
            write_atomically(run.failure_file, f"{error}\n".encode())
            raise
        seconds = [attempt["seconds"] for attempt in attempts]
        facts = dict(
            study=study,
            arm=run.arm.original,
            seed=run.seed,
            config=config,
            commit=", ".join(dict.fromkeys(attempt["commit"] for attempt in attempts)),
            lwam_mm=__version__,
            command=attempts[0]["command"],
            read_at=run.arm.study.checkpoint,
            seconds=None if None in seconds else sum(seconds),
            pieces=len(attempts),
        )
        write_json(run.result_file, facts | found)


def _train(run: Run, start: Callable[[Sequence[str]], None]) -> list[dict]:
    """Train a run and return all attempts; the seconds of one that was killed are None."""
    command = [str(TRAIN), str(run.config_file), "--work-dir", str(run.folder)]
    command += ["--amp"] * run.arm.study.amp
    attempts = json.loads(run.attempts_file.read_text()) if run.attempts_file.is_file() else []
    shown = shlex.join(map(_shown, ("python", *command)))
    attempts.append(dict(commit=_commit(), command=shown, seconds=None))
    write_json(run.attempts_file, attempts)
    if (run.folder / "last_checkpoint").is_file():
        command.append("--resume")
    started = time.monotonic()
    try:
        start(command)
    finally:
        attempts[-1]["seconds"] = round(time.monotonic() - started, 1)
        write_json(run.attempts_file, attempts)
    return attempts


def _evaluate(run: Run, start: Callable[[Sequence[str]], None]) -> dict:
    study, metrics = run.arm.study, run.folder / "metrics.json"
    arguments = map(str, (run.config_file, run.folder, study.checkpoint, metrics))
    start([*EVALUATE, *arguments, json.dumps(study.evaluators)])
    return json.loads(metrics.read_text())


class Processes:
    """The running processes, so that all of them can be told to stop."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(self, arguments: Sequence[str], *, log: Path, lock: int, threads: int | None) -> None:
        """Run Python until it ends; it inherits the file ``lock`` and writes to ``log``.

        Raises:
            RunError: If it failed, with its last error line.
            InterruptedRunError: If :meth:`stop` was called before or meanwhile.
        """
        environment = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
        with log.open("ab") as output:
            begin = output.tell()
            with self._lock:
                self._refuse_if_stopped()
                process = subprocess.Popen(
                    [sys.executable, *arguments],
                    env=os.environ | environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    pass_fds=(lock,),
                    # Ctrl-C in the terminal reaches only this process, which then asks the
                    # training to save and stop.
                    start_new_session=True,
                )
                self._running.add(process)
            status = process.wait()
        with self._lock:
            self._running.discard(process)
        self._refuse_if_stopped()
        if status == INTERRUPTED:
            raise InterruptedRunError("interrupted and saved; continue with --resume")
        if status:
            text = log.read_bytes()[begin:].decode(errors="replace")
            raise RunError(f"{_last_error(text, status)} (see {_shown(log)})")

    def stop(self) -> None:
        """Send SIGTERM to all running processes and start no further ones."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise InterruptedRunError("interrupted; continue with --resume")


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold a run's lock, which its processes inherit: it is free when the last of them ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"another process is training into {folder}; wait for it or end it"
            ) from None
        yield file.fileno()


def _shown(path: str | Path) -> str:
    """Return a path relative to the working directory if it lies in it."""
    return str(path).removeprefix(f"{Path.cwd()}{os.sep}")


def _commit() -> str:
    """Return the commit of the code, with a + if files differ from it; "-" outside of git."""
    command = ["git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+"]
    try:
        return subprocess.check_output(
            command, cwd=Path(__file__).parent, text=True, stderr=subprocess.DEVNULL
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        return "-"


def _last_error(log: str, status: int) -> str:
    if status < 0:
        return f"ended by signal {-status}"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines or [f"exit status {status} without output"])[-1]
