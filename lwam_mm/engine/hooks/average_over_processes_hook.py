"""A hook that averages losses and batch norm statistics over the processes of a training."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce, all_reduce_params, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@HOOKS.register_module(name=["AverageOverProcessesHook", "JointProcessesHook"])
class AverageOverProcessesHook(Hook):
    """Average losses and batch norm statistics over the processes after each iteration.

    - Losses: logs and curves then show those of the global batch. Upstream logs the losses of the
      first process only.
    - Running statistics of batch norms that are not synchronised: otherwise each process would
      validate with its own, and a checkpoint would hold those of the first process. With the
      average, a resumed run continues as if it had not been stopped.

    With one process the hook does nothing. ``JointProcessesHook``, its former name, works in
    configs as well.
    """

    priority = "HIGHEST"  # before the hooks that log and save

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Tensor] | None = None,
    ) -> None:
        """Average the iteration's losses, in place, and the running statistics."""
        if get_world_size() == 1:
            return
        if outputs:
            values = torch.stack([value.detach().float().mean() for value in outputs.values()])
            all_reduce(values, op="mean")
            outputs.update(zip(outputs, values, strict=True))
        all_reduce_params(_running_statistics(runner.model), op="mean")


def _running_statistics(model: nn.Module) -> list[Tensor]:
    return [
        statistic
        for norm in model.modules()
        # Norms in eval mode, such as a frozen teacher's, are the same in every process. Averaging
        # could change their last bit.
        if isinstance(norm, _BatchNorm) and norm.training and norm.running_mean is not None
        if not isinstance(norm, nn.SyncBatchNorm)
        for statistic in (norm.running_mean, norm.running_var)
    ]
