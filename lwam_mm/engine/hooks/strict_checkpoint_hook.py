"""A hook that refuses checkpoints that do not fit the model."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner, find_latest_checkpoint

from lwam_mm.models.checkpoint import CheckpointMismatchError, check_weights

NEEDED_TO_RESUME = ("meta", "message_hub", "optimizer")
"""What a checkpoint of a training holds besides the weights."""


@HOOKS.register_module()
class StrictCheckpointHook(Hook):
    """Compare a checkpoint's keys and shapes with the model's before a runner loads it.

    mmengine loads with ``strict=False``: weights that the checkpoint lacks stay random. To start
    from a checkpoint that fits only in part (``load_from`` with other classes, for example),
    remove this hook from ``custom_hooks``.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights.

        Raises:
            lwam_mm.models.checkpoint.CheckpointMismatchError: A key is missing, unexpected or of
                another shape; or the run is to be resumed and the checkpoint holds only weights.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        weights = checkpoint.get("state_dict", checkpoint)
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
        source = runner._load_from
        if source is None and runner._resume:
            # Our runner says which one it found; the stock runner loads the latest.
            source = getattr(runner, "resumed_from", None) or find_latest_checkpoint(
                runner.work_dir
            )
        check_weights(model, weights, str(source or "the checkpoint"))
        missing = [name for name in NEEDED_TO_RESUME if name not in checkpoint]
        if runner._resume and missing:
            raise CheckpointMismatchError(
                f"{source}: holds weights alone (no {', '.join(missing)}), so no run can be "
                "resumed from it: resume from epoch_N.pth or iter_N.pth, or start a new run from "
                "these weights with load_from and without --resume"
            )
