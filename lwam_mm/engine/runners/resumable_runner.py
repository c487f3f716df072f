"""A runner that resumes from the newest intact checkpoint."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.device import get_device
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, find_latest_checkpoint
from torch.utils.data import DataLoader

from lwam_mm.compat import UnreadableCheckpointError
from lwam_mm.engine.runners.concise_runner import ConciseRunner
from lwam_mm.engine.runners.one_buffer import OneBufferCollate
from lwam_mm.models.checkpoint import check_checksums
from lwam_mm.utils.errors import UserError


class NothingToResumeError(UserError, RuntimeError):
    """A work dir has checkpoints, but the run can be resumed from none of them."""


@RUNNERS.register_module()
class ResumableRunner(ConciseRunner):
    """``ConciseRunner`` that survives a broken checkpoint, and SIGTERM in its data workers.

    ``resume=True`` loads the checkpoint that ``last_checkpoint`` names. If that is missing or
    broken, it loads the newest intact one instead, with a warning that names both. If there are
    checkpoints and all are broken, that is an error. If there are none, the training starts at
    the beginning, so a job script can always ask to resume.

    Attributes:
        resumed_from: The checkpoint that the run resumes from; None if it started at the
            beginning or ``load_from`` names a checkpoint.
    """

    resumed_from: Path | None = None

    def load_or_resume(self) -> None:
        """Load or resume a checkpoint as the config says.

        Raises:
            NothingToResumeError: There are checkpoints, but all are broken.
            lwam_mm.compat.UnsafeCheckpointError: Loading a checkpoint could run code.
        """
        if self._has_loaded or not self._resume or self._load_from is not None:
            super().load_or_resume()
            return
        problems: list[str] = []
        for path in resumable_checkpoints(self.work_dir):
            self.resumed_from = path
            if problems:
                broken = "; ".join(problems)
                self.logger.warning(f"{broken}. Trying {path} instead.")
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
                f"{self.work_dir}: the run can be resumed from no checkpoint:\n  {listed}\n"
                "Remedy: copy an intact checkpoint there, or start a new run in another --work-dir"
            )
        best = sorted(Path(self.work_dir).glob("best_*.pth"))
        found = f" ({best[-1].name} holds weights alone, and may be overwritten)" if best else ""
        log = self.logger.warning if best else self.logger.info
        log(f"{self.work_dir}: nothing to resume from{found}: training starts at the beginning.")

    @staticmethod
    def build_dataloader(*args: Any, **kwargs: Any) -> DataLoader:
        """Build a data loader whose workers send batches in one piece, and survive SIGTERM.

        A batch arrives on the training's device, unless the loader pins its memory. The workers
        ignore SIGTERM from others than their parent: Slurm sends it to every process of a
        job, and without its workers the main process could not finish the current iteration and
        save.
        """
        loader = Runner.build_dataloader(*args, **kwargs)
        loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
        if loader.num_workers:
            device = "cpu" if loader.pin_memory else get_device()
            loader.collate_fn = OneBufferCollate(loader.collate_fn, device)
        return loader


def resumable_checkpoints(work_dir: str | Path) -> list[Path]:
    """List the checkpoints that a run can be resumed from, in the order to try them.

    First comes the one that ``last_checkpoint`` names, even if it does not exist, then the others
    in its folder and in the work dir, the newest first. The best checkpoints are left out because
    they hold no optimizer.
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
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    if stock is not None:
        stock(worker)


def _end_with_parent(parent: int) -> None:
    # Python ends its workers by SIGTERM as well. Only that one counts.
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
