"""The memory layout in which CPUs train these networks faster."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Lay the model's weights out channels-last before it trains on a CPU.

    Same values, other order in memory: torch then runs its convolutions without reordering
    activations back and forth. A model on a GPU or under DistributedDataParallel is left as it is.
    """

    def before_train(self, runner: Runner) -> None:
        """Change the layout in place."""
        on_cpu = all(p.device.type == "cpu" for p in runner.model.parameters())
        if on_cpu and not is_model_wrapper(runner.model):
            runner.model.to(memory_format=torch.channels_last)
