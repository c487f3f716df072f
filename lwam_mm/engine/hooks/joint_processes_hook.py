"""A hook by which the processes of a training log and save what they have in common."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce, all_reduce_params, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@HOOKS.register_module()
class JointProcessesHook(Hook):
    """Average over the processes what each knows for itself; with one process, do nothing.

    - Losses, so that logs and curves show those of the joint batch. Upstream logs the losses of
      the first process alone.
    - Running statistics of batch norms that are not synchronised. Each process would validate
      with its own, and a checkpoint hold those of the first alone; now all have the same, and a
      resumed run goes on as if it had not been stopped.
    """

    priority = "HIGHEST"  # in front of what logs and of what saves

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
    norms = [
        module
        for module in model.modules()
        # Frozen ones, such as a teacher's, are the same everywhere, and stay so to the last bit.
        if isinstance(module, _BatchNorm) and module.training and module.running_mean is not None
    ]
    return [
        statistic
        for norm in norms
        if not isinstance(norm, nn.SyncBatchNorm)
        for statistic in (norm.running_mean, norm.running_var)
    ]
