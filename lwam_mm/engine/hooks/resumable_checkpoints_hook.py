"""A checkpoint hook for runs that may be killed at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from lwam_mm.engine.loops.resumable_loops import VALIDATED
from lwam_mm.utils.atomic_files import remove_unfinished, write_atomically
from lwam_mm.utils.errors import ConfigError

_KEPT = "kept_checkpoints"


@HOOKS.register_module()
class ResumableCheckpointsHook(CheckpointHook):
    """mmengine's ``CheckpointHook`` for runs that may be killed.

    - ``last_checkpoint`` is written atomically, as the checkpoints are
      (:func:`lwam_mm.compat.write_checkpoints_whole`). Unfinished files of a killed run are
      removed at the next start.
    - A new checkpoint is written before an old one is removed, and at least the newest two are
      kept, whatever ``max_keep_ckpts`` says. If the last one is broken, there is one before it.
    - If a validation follows, the checkpoint is written before it, and again after it with the
      scores. Upstream writes again only after a new best, and then also where no checkpoint was
      due.

    Args:
        keep_every: Interval, in epochs or iterations, of the checkpoints that are never removed;
            a multiple of ``interval``. None keeps only the newest.
        **kwargs: Arguments of ``CheckpointHook``.

    Raises:
        ConfigError: ``keep_every`` is not a multiple of ``interval``.
    """

    def __init__(self, keep_every: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if keep_every is not None and (keep_every < 1 or keep_every % self.interval):
            raise ConfigError(
                f"keep_every={keep_every}: no checkpoint is written at this interval; set a "
                f"multiple of interval={self.interval}"
            )
        self.keep_every = keep_every
        self._saved_iter: int | None = None

    def before_train(self, runner: Runner) -> None:
        """Set the folder of checkpoints, and remove unfinished files of a killed run."""
        super().before_train(runner)
        if is_main_process():
            for folder in {str(self.out_dir), str(runner.work_dir)}:
                for path in remove_unfinished(folder):
                    runner.logger.info(f"Removed {path}, an unfinished file of a killed run.")

    def after_val(self, runner: Runner) -> None:
        """Write this step's checkpoint again, now with the scores."""
        runner.message_hub.update_info(VALIDATED, runner.iter)
        if self._saved_iter == runner.iter:
            step = runner.epoch if self.by_epoch else runner.iter
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(runner, step, meta)

    def save_now(self, runner: Runner, iterations: int) -> Path:
        """Write a checkpoint now, unless there is one of this iteration.

        Args:
            runner: The runner that trains.
            iterations: The number of iterations done.

        Returns:
            The checkpoint to resume from.
        """
        if self._saved_iter != iterations:
            meta = dict(epoch=runner.epoch, iter=iterations)
            self._write(runner, f"iter_{iterations}.pth", meta)
        return Path(self.last_ckpt)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self._write(runner, self.filename_tmpl.format(step), meta)

    def _write(self, runner: Runner, name: str, meta: dict) -> None:
        hub, folder = runner.message_hub, Path(self.out_dir)
        self.last_ckpt = str(folder / name)
        # The list inside the checkpoint still has the one to be removed below. If the run is
        # killed before that, the resumed run removes it.
        kept = [*(path for path in hub.get_info(_KEPT, []) if path != name), name]
        hub.update_info(_KEPT, kept)
        hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self._saved_iter = meta["iter"]
        if is_main_process():
            path = Path(runner.work_dir) / "last_checkpoint"
            write_atomically(path, self.last_ckpt.encode(), durable=True)
        if self.max_keep_ckpts > 0:
            newest = kept[-max(2, self.max_keep_ckpts) :]
            if is_main_process():
                for old in kept[: -len(newest)]:
                    if not self._is_kept_for_good(old):
                        (folder / old).unlink(missing_ok=True)
            hub.update_info(_KEPT, newest)

    def _is_kept_for_good(self, name: str) -> bool:
        before, after = self.filename_tmpl.split("{}")
        step = name.removeprefix(before).removesuffix(after)
        fits = self.filename_tmpl.format(step) == name and step.isdecimal()
        return fits and self.keep_every is not None and int(step) % self.keep_every == 0
