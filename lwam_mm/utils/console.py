"""What of OpenMMLab's log reaches the console: progress, and what a user can act on."""

from __future__ import annotations

import logging
import re

_FOR_THE_FILE_ONLY = {
    r"^Config:\n": "hundreds of lines; the work dir also holds the config as a file",
    r"^\n-+\nSystem environment:": "for bug reports; the log file has it",
    r"^Hooks will be executed in the following order": "for bug reports; the log file has it",
    r"^Distributed training is not used, all SyncBatchNorm": "true of every run on one device",
    r'^"FileClient" will be deprecated': "mmengine's own call, in its checkpoint hook",
    r'^"HardDiskBackend" is the alias of': "mmengine's own call, in its checkpoint hook",
    r"^Exp name: ": "repeats the work dir before each line of progress",
    r'^Failed to search registry with scope "mmseg" in the "(Codebases|mmseg_tasks)"': (
        "mmdeploy's registries have no scopes, so the search falls back to the right one"
    ),
    r"^DeprecationWarning: get_onnx_config": "mmdeploy's own call",
}
"""Starts of messages that are logged for the record, each with why nobody needs to see it."""


class ProgressLine(str):
    """A line of the log that the console shows shorter.

    Args:
        full: the line for files, and for consoles that know of no other.
        short: the line for a console that :func:`keep_console_concise` has seen to.
    """

    short: str

    def __new__(cls, full: str, short: str) -> ProgressLine:
        """Keep the short line beside the full one."""
        line = super().__new__(cls, full)
        line.short = short
        return line


class _ConsoleFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not any(re.match(start, message) for start in _FOR_THE_FILE_ONLY)


class _ConsoleFormatter(logging.Formatter):
    """Formats a ProgressLine as it is, without date and level, everything else as before."""

    def __init__(self, stock: logging.Formatter | None) -> None:
        super().__init__()
        self._stock = stock or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, ProgressLine):
            return record.msg.short
        return self._stock.format(record)


def keep_console_concise(logger: logging.Logger) -> None:
    """Filter and shorten what a logger writes to the console; its files get everything.

    Doing so twice changes nothing.
    """
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler) and not any(
            isinstance(known, _ConsoleFilter) for known in handler.filters
        ):
            handler.addFilter(_ConsoleFilter())
            handler.setFormatter(_ConsoleFormatter(handler.formatter))
