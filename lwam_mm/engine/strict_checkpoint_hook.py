"""Checkpoints that do not fit are refused, whichever tool loads them."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner, find_latest_checkpoint

from lwam_mm.models.checkpoint import check_weights


@HOOKS.register_module()
class StrictCheckpointHook(Hook):
    """Compare a checkpoint's keys with the model's before a runner loads it.

    mmengine loads with ``strict=False`` and goes on with random weights where none fit. To start
    from a checkpoint that is meant to fit in part (``load_from`` with other classes, say), take
    this hook out of ``custom_hooks``.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights.

        Raises:
            lwam_mm.models.checkpoint.CheckpointMismatchError: a key is missing, left over or of
                another shape.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        weights = checkpoint.get("state_dict", checkpoint)
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
        source = runner._load_from
        if source is None and runner._resume:
            source = find_latest_checkpoint(runner.work_dir)  # as the runner found it
        check_weights(model, weights, str(source or "the checkpoint"))
