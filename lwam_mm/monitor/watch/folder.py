"""Finds files that are complete, by looking at the folder again and again.

Events of the file system are not relied on: on network file systems they are lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lwam_mm.monitor.watch.paths import printable


@dataclass(frozen=True)
class FoundFile:
    r"""A file whose size and time have stood still.

    Attributes:
        name: Path below the watched folder, with "/" between folders; what is no UTF-8 in it is
            written as in ``\xff``.
        path: The file.
        size: Bytes.
        mtime_ns: Time of its last change, ns since 1970.
        backlog: It was there when watching began, or when the folder came back, so that nothing is
            known about when it became complete.
    """

    name: str
    path: Path
    size: int
    mtime_ns: int
    backlog: bool = False


@dataclass
class _Waiting:
    size: int
    mtime_ns: int
    polls: int
    backlog: bool


class FolderPoll:
    """The files of a folder that are complete and not done with.

    Args:
        folder: The watched folder; it may be away for some time.
        done: Name -> (size, mtime_ns) of the files that were done with earlier.
        stable_polls: A file is complete when it looked the same in this many polls more.
        recursive: Whether to look into subfolders.

    Attributes:
        away: Why the folder, or one below it, cannot be read; None while all can.
    """

    def __init__(
        self,
        folder: str | Path,
        done: dict[str, tuple[int, int]] | None = None,
        stable_polls: int = 2,
        recursive: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.away: str | None = None
        self._done = dict(done or {})
        self._stable_polls = stable_polls
        self._recursive = recursive
        self._waiting: dict[str, _Waiting] = {}
        self._first = True

    def poll(self) -> list[FoundFile]:
        """Look at the folder once.

        Returns:
            The complete files, also those that were returned before and are not done with.
        """
        self.away = None
        try:
            seen = {printable(name): (name, stat) for name, stat in self._scan(self.folder, "")}
        except OSError as error:
            self.away = f"{printable(self.folder)} cannot be read: {error.strerror or error}"
            self._first = True
            return []
        found = []
        waiting = {}
        for name, (real_name, stat) in seen.items():
            size, mtime_ns = stat.st_size, stat.st_mtime_ns
            if self._done.get(name) == (size, mtime_ns):
                continue
            before = self._waiting.get(name)
            if before is None or (before.size, before.mtime_ns) != (size, mtime_ns):
                waiting[name] = _Waiting(size, mtime_ns, 0, self._first)
            else:
                before.polls += 1
                waiting[name] = before
            if waiting[name].polls >= self._stable_polls:
                backlog = waiting[name].backlog
                found.append(FoundFile(name, self.folder / real_name, size, mtime_ns, backlog))
        self._waiting = waiting
        self._first = False
        return found

    def is_waiting(self) -> bool:
        """Whether there are files that are not done with."""
        return bool(self._waiting)

    def done(self, file: FoundFile) -> None:
        """Return this file no more unless its size or time changes."""
        self._done[file.name] = (file.size, file.mtime_ns)
        self._waiting.pop(file.name, None)

    def _scan(
        self, folder: Path, prefix: str, above: frozenset[tuple[int, int]] = frozenset()
    ) -> Iterator[tuple[str, os.stat_result]]:
        here = folder.stat()
        if (here.st_dev, here.st_ino) in above:
            return  # a link back to a folder that this one lies in
        above |= {(here.st_dev, here.st_ino)}
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                try:
                    if entry.is_dir():
                        if self._recursive:
                            yield from self._scan(folder / entry.name, name + "/", above)
                    elif entry.is_file():
                        # Not entry.stat(): on Windows it may be older than the file.
                        yield name, Path(entry.path).stat()
                except FileNotFoundError:
                    continue  # it went while we looked
                except OSError as error:  # the others can be read all the same
                    self.away = f"{printable(entry)} cannot be read: {error.strerror or error}"
