"""Writing a file whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a hidden sibling to write to, which takes the place of ``path`` if nothing fails.

    Args:
        path: the file to write; its folder is made, an existing file is replaced.

    Yields:
        The path to write to. After an error it is gone, and ``path`` is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all.

    Raises:
        OSError: it could not be written; what was there is still there.
    """
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)
