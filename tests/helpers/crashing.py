"""A hook that has a training crash where a test wants it."""

from __future__ import annotations

import itertools

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


class Crash(Exception):
    """What ``CrashHook`` raises."""


@HOOKS.register_module()
class CrashHook(Hook):
    """Raises ``Crash`` as a killed process would stop, at the ``count``-th call of ``stage``."""

    priority = "LOWEST"

    def __init__(self, stage: str, count: int) -> None:
        calls = itertools.count(1)

        def crash(runner, *args, **kwargs) -> None:
            if next(calls) == count:
                raise Crash

        setattr(self, stage, crash)
