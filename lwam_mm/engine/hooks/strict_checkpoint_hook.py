"""Checkpoints that do not fit are refused, whichever tool loads them."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner, find_latest_checkpoint

from lwam_mm.models.checkpoint import CheckpointMismatchError, check_weights

_NEEDED_TO_RESUME = ("meta", "message_hub", "optimizer")


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
                another shape; or it holds weights alone, and the run is to be resumed from it.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        weights = checkpoint.get("state_dict", checkpoint)
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
        source = runner._load_from
        if source is None and runner._resume:
            # As the runner found it, ours or the stock one.
            source = getattr(runner, "resumed_from", None) or find_latest_checkpoint(
                runner.work_dir
            )
        check_weights(model, weights, str(source or "the checkpoint"))
        missing = [name for name in _NEEDED_TO_RESUME if name not in checkpoint]
        if runner._resume and missing:
            raise CheckpointMismatchError(
                f"{source}: holds weights alone (no {', '.join(missing)}), so no run can go on "
                "from it: resume from epoch_N.pth or iter_N.pth, or begin a new run with these "
                "weights: load_from, without --resume"
            )
