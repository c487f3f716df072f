"""A checkpoint hook that keeps more than one best checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from lwam_mm.engine.hooks.resumable_checkpoints_hook import ResumableCheckpointsHook
from lwam_mm.utils.errors import ConfigError

_KEPT = "kept_best_checkpoints"


@HOOKS.register_module()
class BestCheckpointsHook(ResumableCheckpointsHook):
    """``ResumableCheckpointsHook`` that keeps several of the best checkpoints.

    A new best checkpoint is written before the oldest kept one is removed. Upstream removes the
    previous best first, so a run killed in between is left with none.

    Args:
        max_keep_best: How many checkpoints to keep that were the best when they were written, at
            least 1. The newest are kept. The released trainer keeps 20.
        **kwargs: Arguments of ``ResumableCheckpointsHook`` and of mmengine's ``CheckpointHook``.
            ``save_best`` names one metric.

    Raises:
        ConfigError: ``max_keep_best`` is less than 1, or ``save_best`` does not name one metric.
    """

    def __init__(self, max_keep_best: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_keep_best < 1:
            raise ConfigError(f"max_keep_best={max_keep_best}: keep at least 1")
        if not self.save_best or len(self.key_indicators) != 1 or "auto" in self.key_indicators:
            raise ConfigError(f"save_best={self.save_best!r}: name one metric, such as 'mIoU'")
        self.max_keep_best = max_keep_best

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        previous, last = self.best_ckpt_path, self.last_ckpt
        # Without these two, upstream neither removes the previous best nor writes the regular
        # checkpoint again.
        self.best_ckpt_path = self.last_ckpt = None
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            written, self.best_ckpt_path = self.best_ckpt_path, self.best_ckpt_path or previous
            self.last_ckpt = last
        if written is None:
            return
        hub = runner.message_hub
        # A run resumed from a checkpoint of upstream's hook has no list, only `previous`.
        known = dict.fromkeys([*hub.runtime_info.get(_KEPT, []), previous])
        kept = [path for path in known if path not in (None, written)] + [written]
        outdated, kept = kept[: -self.max_keep_best], kept[-self.max_keep_best :]
        hub.update_info(_KEPT, kept)
        if is_main_process():
            for path in outdated:
                Path(path).unlink(missing_ok=True)
