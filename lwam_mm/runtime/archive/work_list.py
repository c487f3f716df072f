"""The images of an archive and what became of each: a list on disk, whatever its length."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from lwam_mm.runtime.errors import OutputError
from lwam_mm.runtime.find_images import as_on_any_system, entry_of, why_not_an_image
from lwam_mm.runtime.predict_files import PredictedImage

Row = TypeVar("Row")

# Paths and names are kept as bytes: a file name need not be valid UTF-8. These bytes sort as the
# names do.
_TABLES = """
DROP TABLE IF EXISTS found;
DROP TABLE IF EXISTS chosen;
DROP TABLE IF EXISTS image;
DROP TABLE IF EXISTS skipped;
DROP TABLE IF EXISTS failed;
CREATE TABLE found (
    input INTEGER, key BLOB, path BLOB, real BLOB, own BOOLEAN, stem BLOB,
    PRIMARY KEY (input, key)
) WITHOUT ROWID;
CREATE TABLE chosen (
    position INTEGER PRIMARY KEY, input INTEGER, key BLOB, path BLOB, real BLOB, stem BLOB
);
CREATE TABLE image (position INTEGER PRIMARY KEY, path BLOB UNIQUE, name BLOB UNIQUE);
CREATE TABLE skipped (id INTEGER PRIMARY KEY, path BLOB, reason BLOB);
CREATE TABLE failed (id INTEGER PRIMARY KEY, position INTEGER, path BLOB, reason BLOB);
CREATE TABLE IF NOT EXISTS setting (value TEXT);
CREATE TABLE IF NOT EXISTS result (
    path BLOB PRIMARY KEY, name BLOB, size INTEGER, mtime_ns INTEGER, width INTEGER,
    height INTEGER, pixels TEXT, milliseconds REAL, checked BOOLEAN
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS result_name ON result (name);
UPDATE result SET checked = FALSE;
"""
_KIND = 0x4C57414D  # marks the database as one of ours

# Of several links to a file and the file itself, the file itself; else the first.
_CHOOSE = """
INSERT INTO chosen (input, key, path, real, stem)
SELECT input, key, path, real, stem FROM (
    SELECT *, row_number() OVER (PARTITION BY real ORDER BY own DESC, input, key) AS choice
    FROM found
) WHERE choice = 1 ORDER BY input, key
"""
_NOT_CHOSEN = """
SELECT found.path, chosen.path FROM found JOIN chosen USING (real)
WHERE (found.input, found.key) <> (chosen.input, chosen.key) ORDER BY found.input, found.key
"""
# Results whose name now belongs to another image are about to be overwritten.
_FORGET = """
DELETE FROM result
WHERE EXISTS (
    SELECT 1 FROM image WHERE image.name = result.name AND image.path <> result.path
) OR EXISTS (
    SELECT 1 FROM image WHERE image.path = result.path AND image.name <> result.name
)
"""
_BATCH = """
SELECT image.position, image.path, image.name, size, mtime_ns
FROM image LEFT JOIN result ON result.path = image.path
WHERE image.position > ? ORDER BY image.position LIMIT ?
"""
_PREDICTED = "FROM image JOIN result ON result.path = image.path WHERE checked"

Stamp = tuple[int, int]
"""Size in bytes and time of the last change in ns: those of the image that was predicted."""


@dataclass(frozen=True)
class Task:
    """An image to predict.

    Attributes:
        position: Its place in the list, from 1.
        file: The image.
        name: File name of its results, without suffix.
        predicted: The image that its results were made from; None if there are none.
    """

    position: int
    file: Path
    name: str
    predicted: Stamp | None


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        task: The task.
        result: As `predict_file` returns it; None if the results are there already.
        stamp: The image that was predicted; None if it failed.
    """

    task: Task
    result: PredictedImage | str | None
    stamp: Stamp | None = None


class Rows(Generic[Row]):
    """Rows of the list, read when they are asked for, once.

    Args:
        rows: Gives them.
        count: How many there are.
    """

    def __init__(self, rows: Iterator[Row], count: int) -> None:
        self._rows, self._count = rows, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        return self._rows


class WorkList:
    """Lists the images among files and folders as `find_images` and `distinct_names` do.

    Nothing but a few rows at a time is in memory. Results of an earlier run are remembered as
    long as the settings are the same.

    Args:
        path: The list's file, used by one process at a time.
        settings: What results depend on, as text.

    Raises:
        OutputError: The file is no such list, or another process uses it.
    """

    def __init__(self, path: Path, settings: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=1, isolation_level=None)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._check(path)
            self._db.executescript(f"BEGIN EXCLUSIVE;{_TABLES}COMMIT;")
        except sqlite3.Error as error:
            self._db.close()
            raise OutputError(
                f"{path} cannot be used ({error}): wait until no other run writes to "
                f"{path.parent}, or remove the file to begin anew"
            ) from error
        with self._db:
            self._db.execute("BEGIN")
            if self._db.execute("SELECT value FROM setting").fetchall() != [(settings,)]:
                self._db.execute("DELETE FROM result")
                self._db.execute("DELETE FROM setting")
                self._db.execute("INSERT INTO setting VALUES (?)", [settings])

    def collect(self, inputs: Sequence[Path]) -> None:
        """List the images; once."""
        with self._db:
            self._db.execute("BEGIN")
            self._find(inputs)
            self._db.execute(_CHOOSE)
            self._db.execute("CREATE INDEX chosen_real ON chosen (real)")
            self._db.execute("CREATE INDEX chosen_stem ON chosen (stem)")
            for path, same in self._db.execute(_NOT_CHOSEN):
                self._skip(_text(path), f"the same file as {_text(same)}")
            self._db.executemany("INSERT INTO image VALUES (?, ?, ?)", self._names())

    def named(self) -> Iterator[tuple[Path, str]]:
        """Yield each image and the name of its results."""
        for path, name in self._db.execute("SELECT path, name FROM image ORDER BY position"):
            yield Path(_text(path)), _text(name)

    def __len__(self) -> int:
        return self._count("FROM image")

    def batches(self, size: int) -> Iterator[list[Task]]:
        """Yield the tasks, some at a time."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute(_FORGET)
        position = 0
        while rows := self._db.execute(_BATCH, [position, size]).fetchall():
            yield [
                Task(
                    number,
                    Path(_text(path)),
                    _text(name),
                    None if length is None else (length, mtime_ns),
                )
                for number, path, name, length, mtime_ns in rows
            ]
            position = rows[-1][0]

    def record(self, outcomes: Iterable[Outcome]) -> None:
        """Write what became of some tasks."""
        with self._db:
            self._db.execute("BEGIN")
            for outcome in outcomes:
                self._record(outcome)

    @property
    def predicted(self) -> Rows[PredictedImage]:
        """The images with results."""
        return Rows(self._predicted(), self._count(_PREDICTED))

    @property
    def failed(self) -> Rows[tuple[Path, str]]:
        """Each image or folder that could not be predicted, and why."""
        return self._reasons("FROM failed", "position, id")

    @property
    def skipped(self) -> Rows[tuple[Path, str]]:
        """Each path that is no image, or was given before under another name, and why."""
        return self._reasons("FROM skipped", "id")

    def release(self) -> None:
        """Let other processes use the file; only what became of the images can still be read."""
        self._db.execute("PRAGMA locking_mode=NORMAL")
        self._count("FROM setting")  # the lock goes with the next access

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _check(self, path: Path) -> None:
        (kind,) = self._db.execute("PRAGMA application_id").fetchone()
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        if pages and kind != _KIND:
            self._db.close()
            raise OutputError(
                f"{path} exists and is no list of an earlier run: give another folder than "
                f"{path.parent} for the results, or move it away"
            )
        self._db.execute(f"PRAGMA application_id={_KIND}")

    def _find(self, inputs: Sequence[Path]) -> None:
        folders: dict[str, Path] = {}
        files = [path for path in inputs if not os.path.isdir(path)]  # noqa: PTH112
        for path in inputs:
            if os.path.isdir(path):  # noqa: PTH112  as in find_images
                folders.setdefault(os.path.realpath(path), path)
        given = {entry_of(path) for path in [*files, *folders.values()]}
        for number, path in enumerate(inputs):
            if not os.path.isdir(path):  # noqa: PTH112
                real = os.path.realpath(path)
                self._add(number, "", path, real)
            elif (first := folders[os.path.realpath(path)]) is not path:
                self._skip(path, f"the same folder as {first}")
            else:
                self._list(number, path, given)

    def _list(self, number: int, folder: Path, given: Collection[str]) -> None:
        real_folder = Path(os.path.realpath(folder))
        images = False
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    path = folder / entry.name
                    if reason := why_not_an_image(path):
                        if entry_of(path) not in given:
                            self._skip(path, reason)
                        continue
                    images = True
                    link = entry.is_symlink()
                    real = os.path.realpath(path) if link else str(real_folder / entry.name)
                    self._add(number, os.path.normcase(entry.name), path, real)
        except OSError as error:
            self._fail(0, folder, f"{folder} cannot be listed: {error}")
            return
        if not images:
            self._fail(0, folder, f"{folder} holds no image: give a folder with images in it")

    def _add(self, number: int, key: str, path: Path, real: str) -> None:
        own = path.name == Path(real).name
        stem = as_on_any_system(path.stem)
        row = [number, _blob(key), _blob(path), _blob(real), own, _blob(stem)]
        self._db.execute("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?)", row)

    def _names(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Name the results as `distinct_names` does.

        The names made from one stem are never those made from another, so they can be made stem by
        stem.
        """
        last, number = None, 1
        rows = self._db.execute("SELECT position, path, stem FROM chosen ORDER BY stem, position")
        for position, path, stem in rows:
            number = number + 1 if stem == last else 1
            last = stem
            own = name = Path(_text(path)).stem
            if number > 1:
                while self._is_stem(name := f"{own}_{number}"):
                    number += 1
            yield position, path, _blob(name)

    def _is_stem(self, name: str) -> bool:
        stem = _blob(as_on_any_system(name))
        return bool(self._db.execute("SELECT 1 FROM chosen WHERE stem = ?", [stem]).fetchone())

    def _record(self, outcome: Outcome) -> None:
        task, result = outcome.task, outcome.result
        path = _blob(task.file)
        if result is None:
            self._db.execute("UPDATE result SET checked = TRUE WHERE path = ?", [path])
        elif isinstance(result, str):
            self._db.execute("DELETE FROM result WHERE path = ?", [path])
            self._fail(task.position, task.file, result)
        else:
            # Without a stamp it is predicted again the next time.
            size, mtime_ns = outcome.stamp or (-1, -1)
            self._db.execute(
                "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, TRUE)",
                [
                    *(path, _blob(task.name), size, mtime_ns, result.width, result.height),
                    *(json.dumps(result.pixels), result.milliseconds),
                ],
            )

    def _skip(self, path: Path | str, reason: str) -> None:
        row = [_blob(path), _blob(reason)]
        self._db.execute("INSERT INTO skipped (path, reason) VALUES (?, ?)", row)

    def _fail(self, position: int, path: Path, reason: str) -> None:
        row = [position, _blob(path), _blob(reason)]
        self._db.execute("INSERT INTO failed (position, path, reason) VALUES (?, ?, ?)", row)

    def _predicted(self) -> Iterator[PredictedImage]:
        columns = "image.path, image.name, width, height, pixels, milliseconds"
        for path, name, width, height, pixels, milliseconds in self._db.execute(
            f"SELECT {columns} {_PREDICTED} ORDER BY image.position"
        ):
            yield PredictedImage(
                Path(_text(path)), _text(name), width, height, json.loads(pixels), milliseconds
            )

    def _reasons(self, rows: str, order: str) -> Rows[tuple[Path, str]]:
        found = self._db.execute(f"SELECT path, reason {rows} ORDER BY {order}")
        named = ((Path(_text(path)), _text(reason)) for path, reason in found)
        return Rows(named, self._count(rows))

    def _count(self, rows: str) -> int:
        return int(self._db.execute(f"SELECT count(*) {rows}").fetchone()[0])


def _blob(text: str | Path) -> bytes:
    return str(text).encode("utf-8", "surrogatepass")


def _text(blob: bytes) -> str:
    return blob.decode("utf-8", "surrogatepass")
