"""Early stopping that a resumed run goes on counting."""

from __future__ import annotations

from mmengine.hooks import EarlyStoppingHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """mmengine's ``EarlyStoppingHook`` whose count and best score are part of checkpoints.

    Upstream counts from zero after each resume. A run that stopped early stays stopped when
    resumed; with another ``patience`` or ``stopping_threshold`` it goes on.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the count into the checkpoint."""
        checkpoint.setdefault("early_stopping", {})[self.monitor] = dict(
            wait_count=self.wait_count,
            best_score=float(self.best_score),
            stopped=bool(runner.train_loop.stop_training),
            criteria=self._criteria,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the count over from the checkpoint, if the run is resumed."""
        found = checkpoint.get("early_stopping", {}).get(self.monitor)
        if found is None or not runner._resume:
            return
        self.wait_count, self.best_score = found["wait_count"], found["best_score"]
        if found["stopped"] and found["criteria"] == self._criteria:
            runner.train_loop.stop_training = True

    @property
    def _criteria(self) -> list[float | None]:
        return [self.patience, self.stopping_threshold]
