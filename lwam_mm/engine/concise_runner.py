"""A runner whose console shows progress and what a user can act on."""

from __future__ import annotations

import logging
import re
from typing import Any

from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

_FOR_THE_FILE_ONLY = {
    r"^Config:\n": "hundreds of lines; the work dir also holds the config as a file",
    r"^\n-+\nSystem environment:": "for bug reports; the log file has it",
    r"^Hooks will be executed in the following order": "for bug reports; the log file has it",
    r"^Distributed training is not used, all SyncBatchNorm": "true of every run on one device",
    r'^"FileClient" will be deprecated': "mmengine's own call, in its checkpoint hook",
    r'^"HardDiskBackend" is the alias of': "mmengine's own call, in its checkpoint hook",
    r"^Exp name: ": "repeats the work dir before each line of progress",
    r"^Load checkpoint from": "the next line says the same with the path",
}
"""Starts of messages that mmengine logs for the record, each with why nobody needs to see it."""


class _ConsoleFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not any(re.match(start, message) for start in _FOR_THE_FILE_ONLY)


@RUNNERS.register_module()
class ConciseRunner(Runner):
    """mmengine's ``Runner``; what only bug reports need goes to the log file alone."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build mmengine's logger and filter what reaches the console."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(_ConsoleFilter())
        return logger
