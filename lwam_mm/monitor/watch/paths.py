"""Paths as texts that a database can hold, whatever their bytes are."""

from __future__ import annotations

import os
import re
from pathlib import Path

_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")


def printable(path: str | os.PathLike[str]) -> str:
    r"""Return a path as text; what is no UTF-8 in it is written as in ``\xff``.

    Example:
        >>> print(printable(os.fsdecode(b"layer_\xff.png")))
        layer_\xff.png
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def real_path(text: str) -> Path:
    r"""Return the path that `printable` made a text of.

    A file whose name has such a ``\xff`` in it as plain text goes first.
    """
    path = Path(text)
    if os.path.lexists(text):
        return path
    data = _BYTE.sub(lambda found: bytes([int(found[1], 16)]), os.fsencode(text))
    return Path(os.fsdecode(data))
