"""A hook that saves and ends a training which a cluster takes the machine away from."""

from __future__ import annotations

import signal
import threading
from typing import Any

from mmengine.dist import barrier
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from lwam_mm.engine.hooks.any_process import in_any_process
from lwam_mm.engine.hooks.resumable_checkpoints_hook import ResumableCheckpointsHook
from lwam_mm.engine.loops.resumable_loops import ResumableEpochTrainLoop, ResumableIterTrainLoop

INTERRUPTED = 75
"""Exit status of a training that was told to end, saved, and can be resumed (EX_TEMPFAIL)."""


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On SIGTERM, finish the iteration or the validation under way, save, and exit.

    The process ends with the status :data:`INTERRUPTED`, 75; resumed, the run goes on with the
    next iteration. Slurm sends SIGTERM when it preempts a job and at its time limit, and SIGKILL
    half a minute later (KillWait); a run that was not done by then goes on from its last regular
    checkpoint. Of several processes it is enough that one is told.

    Needs ``ResumableCheckpointsHook`` and one of the resumable loops; without them, and outside
    of the main thread, SIGTERM is left alone and ends the process at once.
    """

    priority = "LOWEST"  # what is saved has to be complete

    def __init__(self) -> None:
        self._told = False
        self._checkpoints: ResumableCheckpointsHook | None = None
        self._earlier: Any = None

    def before_train(self, runner: Runner) -> None:
        """Listen for SIGTERM."""
        loops = ResumableEpochTrainLoop, ResumableIterTrainLoop
        hooks = [hook for hook in runner.hooks if isinstance(hook, ResumableCheckpointsHook)]
        is_main_thread = threading.current_thread() is threading.main_thread()
        if hooks and isinstance(runner.train_loop, loops) and is_main_thread:
            self._checkpoints, self._told = hooks[0], False
            self._earlier = signal.signal(signal.SIGTERM, self._note)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """End here, if told to; gradients that are being accumulated are finished first."""
        if self._is_told(runner) and runner.optim_wrapper.should_update():
            self._end(runner, runner.iter + 1)

    def after_val(self, runner: Runner) -> None:
        """End here, if told to."""
        if self._is_told(runner):
            self._end(runner, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Listen no longer."""
        self._stop_listening()

    def _note(self, number: int, frame: Any) -> None:
        self._told = True

    def _is_told(self, runner: Runner) -> bool:
        # Not every process hears of it in the same iteration, but all have to end in the same.
        return self._checkpoints is not None and in_any_process(self._told)

    def _end(self, runner: Runner, iterations: int) -> None:
        path = self._checkpoints.save_now(runner, iterations)
        # The first process saves. Where another is seen to have ended, it may be told once more,
        # or killed.
        barrier()
        if not runner.distributed:
            self._stop_listening()
        runner.logger.warning(
            f"Told to end (SIGTERM) after iteration {iterations}: saved {path}. Go on with "
            f"--resume. Exit status {INTERRUPTED}."
        )
        raise SystemExit(INTERRUPTED)

    def _stop_listening(self) -> None:
        if self._checkpoints is not None:
            signal.signal(signal.SIGTERM, self._earlier)
            self._checkpoints = None
