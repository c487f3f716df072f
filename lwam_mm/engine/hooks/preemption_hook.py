"""A hook that saves and ends a training when the process receives SIGTERM."""

from __future__ import annotations

import signal
import threading
from typing import Any

from mmengine.dist import barrier
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from lwam_mm.engine.distributed import any_process
from lwam_mm.engine.hooks.resumable_checkpoints_hook import ResumableCheckpointsHook
from lwam_mm.engine.loops.resumable_loops import ResumableEpochTrainLoop, ResumableIterTrainLoop

INTERRUPTED = 75
"""Exit status of a training that received SIGTERM and was saved (EX_TEMPFAIL)."""


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On SIGTERM, finish the current iteration or validation, save a checkpoint, and exit.

    The exit status is :data:`INTERRUPTED`, 75. A resumed run continues with the next iteration.
    Slurm sends SIGTERM when it preempts a job and at the time limit, and SIGKILL half a minute
    later (KillWait). A run that has not ended by then resumes from its last regular checkpoint.
    Of several processes, one has to receive the signal.

    The hook needs ``ResumableCheckpointsHook`` and one of the resumable loops. Without them, and
    outside the main thread, SIGTERM ends the process at once as usual.
    """

    priority = "LOWEST"  # after the hooks whose state is saved

    def __init__(self) -> None:
        self._received = False
        self._checkpoints: ResumableCheckpointsHook | None = None
        self._previous_handler: Any = None

    def before_train(self, runner: Runner) -> None:
        """Install the signal handler."""
        loops = ResumableEpochTrainLoop, ResumableIterTrainLoop
        hooks = [hook for hook in runner.hooks if isinstance(hook, ResumableCheckpointsHook)]
        is_main_thread = threading.current_thread() is threading.main_thread()
        if hooks and isinstance(runner.train_loop, loops) and is_main_thread:
            self._checkpoints, self._received = hooks[0], False
            self._previous_handler = signal.signal(signal.SIGTERM, self._handle)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """End after SIGTERM, but not before accumulated gradients have been applied."""
        if self._should_end() and runner.optim_wrapper.should_update():
            self._end(runner, runner.iter + 1)

    def after_val(self, runner: Runner) -> None:
        """End after SIGTERM."""
        if self._should_end():
            self._end(runner, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Restore the previous signal handler."""
        self._restore_handler()

    def _handle(self, number: int, frame: Any) -> None:
        self._received = True

    def _should_end(self) -> bool:
        # The processes may receive the signal in different iterations, and must end in the same.
        return self._checkpoints is not None and any_process(self._received)

    def _end(self, runner: Runner, iterations: int) -> None:
        path = self._checkpoints.save_now(runner, iterations)
        # The first process saves. A launcher that sees another one end may signal or kill it.
        barrier()
        if not runner.distributed:
            self._restore_handler()
        runner.logger.warning(
            f"Received SIGTERM: saved {path} after iteration {iterations}. Continue with --resume. "
            f"Exit status {INTERRUPTED}."
        )
        raise SystemExit(INTERRUPTED)

    def _restore_handler(self) -> None:
        if self._checkpoints is not None:
            signal.signal(signal.SIGTERM, self._previous_handler)
            self._checkpoints = None
