"""A runner that resumes from the newest checkpoint which is whole."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.registry import RUNNERS
from mmengine.runner import Runner, find_latest_checkpoint
from torch.utils.data import DataLoader

from lwam_mm.compat import UnreadableCheckpointError
from lwam_mm.engine.runners.concise_runner import ConciseRunner
from lwam_mm.models.checkpoint import check_checksums
from lwam_mm.utils.errors import UserError


class NothingToResumeError(UserError, RuntimeError):
    """A work dir has checkpoints, and none of them can be resumed from."""


@RUNNERS.register_module()
class ResumableRunner(ConciseRunner):
    """``ConciseRunner`` that gets over a broken checkpoint, and over SIGTERM in its data workers.

    ``resume=True`` goes on from the checkpoint that ``last_checkpoint`` names. Is that missing or
    broken, from the newest of the others that is whole, with a warning that names both. If there
    are some and all are broken, that is an error. Where there are none, the run starts from the
    beginning, so that a job script can always ask to resume.

    Attributes:
        resumed_from: the checkpoint that the run goes on from, or is about to; None if it began
            at the beginning, or if ``load_from`` named one.
    """

    resumed_from: Path | None = None

    def load_or_resume(self) -> None:
        """Resume as described above; otherwise as upstream.

        Raises:
            NothingToResumeError: there are checkpoints, but none is whole.
            lwam_mm.compat.UnsafeCheckpointError: one could run code.
        """
        if self._has_loaded or not self._resume or self._load_from is not None:
            super().load_or_resume()
            return
        problems: list[str] = []
        for path in resumable_checkpoints(self.work_dir):
            self.resumed_from = path
            if problems:
                broken = "; ".join(problems)
                self.logger.warning(f"{broken}. Going on from {path}, if that is whole, instead.")
            try:
                check_checksums(path)
                self.resume(str(path))
            except (UnreadableCheckpointError, FileNotFoundError) as error:
                problems.append(str(error))
                continue
            self.logger.info(f"Resumed from {path}.")
            return
        self.resumed_from = None
        if problems:
            listed = "\n  ".join(problems)
            raise NothingToResumeError(
                f"{self.work_dir}: no checkpoint can be resumed from:\n  {listed}\n"
                "Remedy: copy one that is whole there, or take another --work-dir to start anew"
            )
        best = sorted(Path(self.work_dir).glob("best_*.pth"))
        found = f" ({best[-1].name} holds weights alone, and may be replaced)" if best else ""
        log = self.logger.warning if best else self.logger.info
        log(f"{self.work_dir}: nothing to resume from{found}: training starts at the beginning.")

    @staticmethod
    def build_dataloader(*args: Any, **kwargs: Any) -> DataLoader:
        """Build a data loader whose workers outlive a SIGTERM.

        Slurm sends it to every process of a job. Were the workers gone, the iteration that the
        main process is to finish and save could not be finished.
        """
        loader = Runner.build_dataloader(*args, **kwargs)
        loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
        return loader


def resumable_checkpoints(work_dir: str | Path) -> list[Path]:
    """List the checkpoints that a run may go on from, the one to try first in front.

    That is what ``last_checkpoint`` names, there or not; then the others beside it and in the
    work dir, the newest first. The best ones are not among them: they hold no optimizer.
    """
    work_dir = Path(work_dir)
    named = [Path(path) for path in [find_latest_checkpoint(str(work_dir))] if path]
    folders = {work_dir, *(path.parent for path in named)}
    others = [
        path
        for folder in folders
        for pattern in ("epoch_*.pth", "iter_*.pth")
        for path in folder.glob(pattern)
        if path not in named
    ]
    return named + sorted(others, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _start_worker(stock: Callable[[int], None] | None, worker: int) -> None:
    if hasattr(signal, "sigwaitinfo"):  # not on macOS
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_heed_parent, args=(os.getppid(),), daemon=True).start()
    if stock is not None:
        stock(worker)


def _heed_parent(parent: int) -> None:
    # Python ends its workers by SIGTERM as well: theirs alone counts.
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
