"""One run from its config to its result, in processes of its own."""

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lwam_mm.engine.hooks.preemption_hook import INTERRUPTED
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.paths import configs_folder
from lwam_mm.version import __version__

TRAIN = configs_folder().parent / "tools" / "train.py"
EVALUATE = ("-m", "lwam_mm.lab.studies.evaluate_run")
FAILURE = "failure.txt"
PIECES = "pieces.json"
_LOG, _METRICS = "train.log", "metrics.json"
_ERROR = re.compile(r"(error: |[\w.]*(Error|Exception|Interrupt)\b).*")


class RunError(UserError):
    """A run's process failed; the message is its last error line."""


class InterruptedRunError(RunError):
    """A run was told to end; it goes on from its newest checkpoint with --resume."""


@dataclass(frozen=True)
class Job:
    """A run as it is handed to a process or to a cluster: plain values, and callable.

    Attributes:
        name: what to call it in messages.
        study: the study's file, as the results name it.
        arm: name of the arm in its own study.
        seed: the run's seed.
        source: the config that the arm starts from, as the results name it.
        config: the config as run.
        folder: for log, checkpoints and result.
        checkpoint: ``"last"`` or ``"best"``.
        amp: whether to train in mixed precision.
        evaluators: metrics of the final evaluation beside the config's own.
        threads: threads for OpenMP; None leaves it to the environment.
    """

    name: str
    study: str
    arm: str
    seed: int
    source: str
    config: Path
    folder: Path
    checkpoint: str
    amp: bool
    evaluators: tuple[dict, ...]
    threads: int | None = None

    def __call__(self) -> None:
        """Train, or go on training, then evaluate and write ``result.json``.

        Raises:
            RunError: a process failed (``failure.txt`` has the message), was told to end, or
                another one is at this run.
        """
        with _alone(self.folder) as lock:
            (self.folder / FAILURE).unlink(missing_ok=True)
            try:
                self._train(lock)
                self._evaluate(lock)
            except InterruptedRunError:
                raise
            except RunError as error:
                write_atomically(self.folder / FAILURE, f"{error}\n".encode())
                raise

    def _train(self, lock: int) -> None:
        command = [str(TRAIN), str(self.config), "--work-dir", str(self.folder)]
        command += ["--amp"] * self.amp
        pieces = _read_pieces(self.folder)
        # Seconds are known only once the piece has ended: a killed one leaves None.
        pieces.append(
            dict(commit=_commit(), command=command_line("python", *command), seconds=None)
        )
        self._write_pieces(pieces)
        if (self.folder / "last_checkpoint").is_file():
            command.append("--resume")
        started = time.monotonic()
        try:
            self._run(command, lock)
        finally:
            pieces[-1]["seconds"] = round(time.monotonic() - started, 1)
            self._write_pieces(pieces)

    def _evaluate(self, lock: int) -> None:
        metrics = self.folder / _METRICS
        self._run(
            [
                *EVALUATE,
                str(self.config),
                str(self.folder),
                self.checkpoint,
                str(metrics),
                json.dumps(self.evaluators),
            ],
            lock,
        )
        pieces = _read_pieces(self.folder)
        seconds = [piece["seconds"] for piece in pieces]
        result = dict(
            study=self.study,
            arm=self.arm,
            seed=self.seed,
            config=self.source,
            commit=", ".join(dict.fromkeys(piece["commit"] for piece in pieces)),
            lwam_mm=__version__,
            command=pieces[0]["command"],
            read_at=self.checkpoint,
            seconds=None if None in seconds else sum(seconds),
            pieces=len(pieces),
            **json.loads(metrics.read_text()),
        )
        text = json.dumps(result, indent=2) + "\n"
        write_atomically(self.folder / "result.json", text.encode())

    def _write_pieces(self, pieces: list[dict]) -> None:
        write_atomically(self.folder / PIECES, (json.dumps(pieces, indent=2) + "\n").encode())

    def _run(self, arguments: Sequence[str], lock: int) -> None:
        environment = dict(os.environ)
        if self.threads is not None:
            environment["OMP_NUM_THREADS"] = str(self.threads)
        log = self.folder / _LOG
        with log.open("ab") as output:
            begin = output.tell()
            status = PROCESSES.run(
                [sys.executable, *arguments],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                pass_fds=(lock,),
            )
        if status == INTERRUPTED:
            raise InterruptedRunError("interrupted and saved; go on with --resume")
        if status:
            with log.open("rb") as written:
                written.seek(begin)
                text = written.read().decode(errors="replace")
            raise RunError(f"{_last_error(text, status)} (see {_shown(log)})")


class Processes:
    """The processes that are running, so that they can be asked to stop."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(self, command: Sequence[str], **options: object) -> int:
        """Run a command and return its exit status, negative for a signal.

        Raises:
            InterruptedRunError: :meth:`stop` was called, before or meanwhile.
        """
        with self._lock:
            if self._stopped:
                raise InterruptedRunError("interrupted; go on with --resume")
            # A session of its own: the terminal's Ctrl-C reaches this process alone, which then
            # asks for a checkpoint and an orderly end.
            process = subprocess.Popen(command, start_new_session=True, **options)
            self._running.add(process)
        try:
            status = process.wait()
        finally:
            with self._lock:
                self._running.discard(process)
        if self._stopped:
            raise InterruptedRunError("interrupted; go on with --resume")
        return status

    def stop(self) -> None:
        """Send SIGTERM to all that run; nothing starts any more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()


PROCESSES = Processes()


def command_line(*parts: str) -> str:
    """Write a command with paths relative to the working directory where they lie in it."""
    return shlex.join(map(_shown, parts))


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
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
    return str(path).removeprefix(f"{Path.cwd()}{os.sep}")


def _read_pieces(folder: Path) -> list[dict]:
    file = folder / PIECES
    return json.loads(file.read_text()) if file.is_file() else []


def _commit() -> str:
    """Give the commit of the code, with a + where files differ from it; "-" outside of git."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "-"


def _last_error(log: str, status: int) -> str:
    if status < 0:
        return f"ended by signal {-status}"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines or [f"exit status {status} and nothing said"])[-1]
