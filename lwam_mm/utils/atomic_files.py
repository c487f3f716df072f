"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


@contextmanager
def replacing(path: str | Path, durable: bool = False) -> Iterator[Path]:
    """Give a hidden sibling to write to, which takes the place of ``path`` if nothing fails.

    Args:
        path: the file to write; its folder is made, an existing file is replaced.
        durable: have the disk confirm the content, and then the name, so that a power cut too
            finds the old file or the new one. Costs a wait for the disk.

    Yields:
        The path to write to. After an error it is gone, and ``path`` is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield unfinished
        if durable:
            _wait_for_disk(unfinished)
        unfinished.replace(path)
        if durable and os.name == "posix":  # elsewhere a folder cannot be opened
            _wait_for_disk(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def write_atomically(path: str | Path, data: bytes, durable: bool = False) -> None:
    """Write ``data`` to ``path``, whole or not at all; see :func:`replacing`.

    Raises:
        OSError: it could not be written; what was there is still there.
    """
    with replacing(path, durable) as unfinished:
        unfinished.write_bytes(data)


def remove_unfinished(folder: str | Path) -> list[Path]:
    """Remove what a killed process left half-written in ``folder``, and return what it was.

    Nobody else may be writing there: an unfinished file does not tell whose it is.
    """
    left = [path for path in Path(folder).glob(".*.tmp") if _UNFINISHED.fullmatch(path.name)]
    for path in left:
        path.unlink(missing_ok=True)
    return left


def _wait_for_disk(path: Path) -> None:
    # For writing where it is a file: some systems do not flush what was opened for reading.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
