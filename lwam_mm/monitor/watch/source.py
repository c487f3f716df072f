"""Where layers come from: a watched folder of images, or a build in one HDF5 file."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np

from lwam_mm.monitor.measure.plate import Plate
from lwam_mm.monitor.watch.folder import FolderPoll, FoundFile
from lwam_mm.monitor.watch.names import LayerName, NamePattern
from lwam_mm.monitor.watch.paths import real_path
from lwam_mm.monitor.watch.peregrine import PeregrineBuild, PeregrineError
from lwam_mm.monitor.watch.read_frame import Frame, read_frame
from lwam_mm.runtime import ImageError
from lwam_mm.utils.errors import ConfigError

_STEPS = ("recoated", "exposed")
_MARK = "#"  # between the HDF5 file's name and the step and layer in it
_SLICE = re.compile(rf"{_MARK}({'|'.join(_STEPS)})/[0-9]+$")


class Source(Protocol):
    """Where layers come from.

    Attributes:
        away: Why nothing can be read now; None while it can.
        root: Folder that names are relative to.
    """

    away: str | None
    root: Path

    def poll(self) -> list[FoundFile]:
        """Look once; return what is complete and not done with."""

    def is_waiting(self) -> bool:
        """Whether there is something that is not done with."""

    def done(self, file: FoundFile) -> None:
        """Return this no more unless it changes."""

    def layer_name(self, file: FoundFile) -> LayerName:
        """Say which layer it is.

        Raises:
            LayerNameError: Its name says nothing.
        """

    def read(self, file: FoundFile) -> Frame:
        """Read its image.

        Raises:
            ImageError: It cannot be read or decoded.
        """

    def parts(self, name: str) -> np.ndarray | None:
        """Return each pixel's part by a file's name.

        Returns:
            (H, W), 0 where there is none: int32 are the parts' own numbers, uint8 is a mask whose
            parts are still to be numbered. None if nothing is known.

        Raises:
            UserError: Where the parts were cannot be read now.
        """


class FolderSource(FolderPoll):
    """The images of a watched folder.

    Args:
        folder: The folder.
        pattern: Says from a file's name which layer it is.
        parts: Folder with a mask of parts under each image's name; None: there are none.
        white_level: As the bundle's; see `read_frame`.
        done: Name -> (size, mtime_ns) of the files that were done with earlier.
        stable_polls: See `FolderPoll`.
    """

    def __init__(
        self,
        folder: Path,
        pattern: NamePattern,
        parts: Path | None = None,
        white_level: int | None = None,
        done: Mapping[str, tuple[int, int]] | None = None,
        stable_polls: int = 2,
    ) -> None:
        super().__init__(folder, dict(done or {}), stable_polls, pattern.has_folders)
        self.root = folder
        self._pattern, self._parts, self._white_level = pattern, parts, white_level

    def poll(self) -> list[FoundFile]:
        """See `Source`."""
        found = super().poll()
        if self.away is not None:
            self.away = f"watch.folder: {self.away}"
        return found

    def layer_name(self, file: FoundFile) -> LayerName:
        """See `Source`."""
        return self._pattern.read(file.name)

    def read(self, file: FoundFile) -> Frame:
        """See `Source`."""
        return read_frame(file.path, self._white_level)

    def parts(self, name: str) -> np.ndarray | None:
        """See `Source`."""
        if self._parts is not None and not os.path.isdir(self._parts):  # noqa: PTH112  never an error
            raise ConfigError(
                f"measure.parts: {self._parts} is no folder any more: without it nobody knows what "
                "lies on a part"
            )
        path = None if self._parts is None else real_path(str(self._parts / name))
        return None if path is None or not path.is_file() else read_frame(path).pixels[:, :, 0]


class PeregrineSource:
    """The layers of a build in Peregrine's HDF5 layout, with one image for each step.

    A file that is still being written is waited for; when it grows, its new layers follow. It is
    opened for each image alone, so that whoever writes it can go on.

    Args:
        path: The HDF5 file.
        done: Names of the layers that were done with earlier.
        stable_polls: The file is complete when it looked the same in this many polls more.
    """

    def __init__(
        self, path: Path, done: Mapping[str, object] | None = None, stable_polls: int = 2
    ) -> None:
        self.away: str | None = None
        self.root = path.parent
        self._path = path
        self._file = FolderPoll(path.parent, stable_polls=stable_polls)
        self._done = set(done or ())
        self._layer_height_um: float | None = None
        self._found: list[FoundFile] = []

    def poll(self) -> list[FoundFile]:
        """See `Source`."""
        for file in self._file.poll():
            if file.path.name == self._path.name:
                self._open()
            self._file.done(file)
        if not self._path.is_file():
            self.away = f"watch.peregrine: {self._path} is not there"
        elif self._layer_height_um is not None:
            self.away = None
        if self.away is not None:
            return []
        self._found = [file for file in self._found if file.name not in self._done]
        return list(self._found)

    def is_waiting(self) -> bool:
        """See `Source`."""
        return bool(self._found) or self._file.is_waiting()

    def done(self, file: FoundFile) -> None:
        """See `Source`."""
        self._done.add(file.name)

    def layer_name(self, file: FoundFile) -> LayerName:
        """See `Source`."""
        step, layer = _parse(file.name)
        assert self._layer_height_um is not None
        height = (layer + 1) * self._layer_height_um
        return LayerName(self._path.stem, layer, _STEPS.index(step), height)

    def read(self, file: FoundFile) -> Frame:
        """See `Source`."""
        return _read_slice(self._path, file.name)

    def parts(self, name: str) -> np.ndarray | None:
        """See `Source`."""
        with closing(PeregrineBuild(self._path)) as build:
            return build.parts(_parse(name)[1])

    def _open(self) -> None:
        try:
            with closing(PeregrineBuild(self._path)) as build:
                self._layer_height_um, layers = build.layer_height_um, build.layers
        except PeregrineError as error:
            self._layer_height_um, self.away = None, str(error)
            return
        self._found = [
            FoundFile(f"{self._path.name}{_MARK}{step}/{layer}", self._path, 0, 0, backlog=True)
            for step in _STEPS
            for layer in range(layers[step])
        ]


def peregrine_plate(path: Path) -> Plate:
    """Return the way from px to mm of a Peregrine build: its scale alone, the origin in a corner.

    Raises:
        PeregrineError: The file cannot be read.
    """
    with closing(PeregrineBuild(path)) as build:
        height, width = build.frame(0, "recoated").shape[:2]
        x, y = width * build.mm_per_px, height * build.mm_per_px
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    return Plate(corners, [(0, y), (x, y), (x, 0), (0, 0)])


def read_recorded(path: str, white_level: int | None = None) -> Frame:
    """Read the image of a recorded layer by the path in the record.

    Raises:
        ImageError: It is gone or cannot be read.
    """
    file, mark, _ = path.rpartition(_MARK)
    # The HDF5 file may have any name, and the path of an image may have such a mark.
    if not mark or not _SLICE.search(path) or os.path.lexists(path):
        return read_frame(real_path(path), white_level)
    return _read_slice(Path(file), path)


def _read_slice(file: Path, name: str) -> Frame:
    step, layer = _parse(name)
    try:
        with closing(PeregrineBuild(file)) as build:
            pixels = build.frame(layer, step)
    except PeregrineError as error:
        raise ImageError(str(error)) from error
    return Frame(hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest(), pixels)


def _parse(name: str) -> tuple[str, int]:
    step, _, layer = name.rpartition(_MARK)[2].partition("/")
    return step, int(layer)
