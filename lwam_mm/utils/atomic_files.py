"""Write files atomically."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


@contextmanager
def replacing(path: str | Path, durable: bool = False) -> Iterator[Path]:
    """Write to a hidden file in the same folder, and rename it to ``path`` if nothing fails.

    Args:
        path: The file to write. Its folder is created, an existing file is replaced.
        durable: Wait until the disk has the content, and then the name, so that even a power cut
            leaves the old file or the new one.

    Yields:
        The path to write to. After an error it is removed, and ``path`` is unchanged.

    Raises:
        OSError: It cannot be written; names ``path``.
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
    except OSError as error:
        if error.filename == str(unfinished):  # whose name is another each time
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def write_atomically(path: str | Path, data: bytes, durable: bool = False) -> None:
    """Write ``data`` to ``path`` atomically; see :func:`replacing`.

    Raises:
        OSError: The file could not be written; an existing one is unchanged.
    """
    with replacing(path, durable) as unfinished:
        unfinished.write_bytes(data)


def write_json(path: str | Path, value: object) -> None:
    """Write ``value`` to ``path`` as indented JSON; see :func:`write_atomically`."""
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())


def remove_unfinished(folder: str | Path) -> list[Path]:
    """Remove the unfinished files of a killed process in ``folder``.

    No other process may be writing there, as its unfinished files would be removed too.

    Returns:
        The removed files.
    """
    left = [path for path in Path(folder).glob(".*.tmp") if _UNFINISHED.fullmatch(path.name)]
    for path in left:
        path.unlink(missing_ok=True)
    return left


def _wait_for_disk(path: Path) -> None:
    # Files are opened for writing, because some systems do not flush others.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
