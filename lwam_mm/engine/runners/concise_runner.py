"""A runner whose console shows progress, and messages that a user can act on."""

from __future__ import annotations

from typing import Any

from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS

from lwam_mm.engine.runners.distributed_runner import DistributedRunner
from lwam_mm.utils.console import keep_console_concise


@RUNNERS.register_module()
class ConciseRunner(DistributedRunner):
    """``DistributedRunner`` that writes messages for bug reports to the log file only."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build mmengine's logger, and filter what it writes to the console."""
        logger = super().build_logger(*args, **kwargs)
        keep_console_concise(logger)
        return logger
