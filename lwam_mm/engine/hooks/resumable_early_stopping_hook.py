"""Early stopping whose state survives a resume."""

from __future__ import annotations

from mmengine.hooks import EarlyStoppingHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """mmengine's ``EarlyStoppingHook``, with its count and best score saved in checkpoints.

    Upstream counts from zero after each resume. A run that stopped early stays stopped when it is
    resumed, unless ``patience`` or ``stopping_threshold`` was changed.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the count and the best score."""
        checkpoint.setdefault("early_stopping", {})[self.monitor] = dict(
            wait_count=self.wait_count,
            best_score=float(self.best_score),
            stopped=bool(runner.train_loop.stop_training),
            criteria=self._criteria,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the count and the best score, if the run is resumed."""
        found = checkpoint.get("early_stopping", {}).get(self.monitor)
        if found is None or not runner._resume:
            return
        self.wait_count, self.best_score = found["wait_count"], found["best_score"]
        if found["stopped"] and found["criteria"] == self._criteria:
            runner.train_loop.stop_training = True

    @property
    def _criteria(self) -> list[float | None]:
        return [self.patience, self.stopping_threshold]
