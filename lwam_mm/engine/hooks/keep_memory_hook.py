"""Memory that a training on processors keeps."""

from __future__ import annotations

from typing import Any

from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from lwam_mm.utils.malloc import give_freed_memory_back, keep_freed_memory


@HOOKS.register_module()
class KeepMemoryHook(Hook):
    """Has a training on processors keep the memory that it frees, for its next step.

    A step of a distillation then takes about a tenth less time; see docs/distillation_speed.md. On
    other devices and with other C libraries than glibc this does nothing.
    """

    def __init__(self) -> None:
        self._is_done = False

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Set it for this process, once.

        The first step makes what lasts, such as the optimizer's state and a teacher's graph, and
        frees what it took for that. Given back before anything is kept, this does not come on top
        of what steps need; kept from the start, it did, with an eighth more memory.
        """
        if self._is_done:
            return
        self._is_done = True
        if get_device() == "cpu":
            give_freed_memory_back()
            keep_freed_memory()
