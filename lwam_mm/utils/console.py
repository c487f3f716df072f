"""Reduce OpenMMLab's log on the console to progress and messages that a user can act on."""

from __future__ import annotations

import logging
import re

_NOT_ON_CONSOLE = {
    r"^Config:\n": "hundreds of lines; the work dir has the config as a file",
    r"^\n-+\nSystem environment:": "for bug reports; the log file has it",
    r"^Hooks will be executed in the following order": "for bug reports; the log file has it",
    r"^Distributed training is not used, all SyncBatchNorm": "true for every run on one device",
    r'^"FileClient" will be deprecated': "mmengine's own call, in its checkpoint hook",
    r'^"HardDiskBackend" is the alias of': "mmengine's own call, in its checkpoint hook",
    r"^Exp name: ": "repeats the work dir before each line of progress",
    r'^Failed to search registry with scope "mmseg" in the "(Codebases|mmseg_tasks)"': (
        "mmdeploy's registries have no scopes, so the search falls back to the right one"
    ),
    r"^DeprecationWarning: get_onnx_config": "mmdeploy's own call",
}
"""Patterns of messages that go only to the log file, each with the reason."""


class ProgressLine(str):
    """A log line with a short form for the console.

    Args:
        full: The line for files, and for consoles without :func:`keep_console_concise`.
        short: The line for consoles with it.
    """

    short: str

    def __new__(cls, full: str, short: str) -> ProgressLine:
        """Create the full line, with the short one as an attribute."""
        line = super().__new__(cls, full)
        line.short = short
        return line


class _ConsoleFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not any(re.match(start, message) for start in _NOT_ON_CONSOLE)


class _ConsoleFormatter(logging.Formatter):
    """Format a ProgressLine without date and level, all other lines as before."""

    def __init__(self, stock: logging.Formatter | None) -> None:
        super().__init__()
        self._stock = stock or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, ProgressLine):
            return record.msg.short
        return self._stock.format(record)


def keep_console_concise(logger: logging.Logger) -> None:
    """Filter and shorten what a logger writes to the console; log files get everything.

    A second call changes nothing.
    """
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler) and not any(
            isinstance(known, _ConsoleFilter) for known in handler.filters
        ):
            handler.addFilter(_ConsoleFilter())
            handler.setFormatter(_ConsoleFormatter(handler.formatter))
