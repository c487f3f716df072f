"""A recorded build as every format takes it, and the folder that it is written to."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lwam_mm.monitor.measure.plate import Plate
from lwam_mm.monitor.record.classes import BuildClasses, build_classes
from lwam_mm.monitor.record.store import Record, RecordError, find_build
from lwam_mm.monitor.record.tables import Layer
from lwam_mm.monitor.view.build_data import latest_layers
from lwam_mm.monitor.view.pictures import labels_of
from lwam_mm.utils.errors import UserError


class ExportError(UserError, ValueError):
    """A build cannot be exported so; the message says what is missing."""


@dataclass(frozen=True, eq=False)
class Exported:
    """A build's step, as all formats take it.

    Attributes:
        record: The record.
        build: Name of the build.
        build_id: Its id.
        step: The step.
        layers: The last revision of each layer, by number.
        known: The classes of the models that looked at the build.
        plate: The way from px to mm; None without plate coordinates.
        layer_height_um: Thickness of a layer, µm; None if it is not known.
    """

    record: Record
    build: str
    build_id: int
    step: str
    layers: tuple[Layer, ...]
    known: BuildClasses
    plate: Plate | None
    layer_height_um: float | None

    def labels(self, layer: Layer) -> np.ndarray:
        """Return the mask of a layer, whatever model made it.

        Returns:
            uint8 of shape (H, W), indices of ``classes``.

        Raises:
            PictureGoneError: There is none, or the file is gone.
        """
        return labels_of(self.record, layer, self.known)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, the background first: see `BuildClasses`."""
        return self.known.names

    @property
    def numbers(self) -> range:
        """All numbers from the first layer to the last."""
        return range(self.layers[0].number, self.layers[-1].number + 1)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames, px: those that most layers have.

        Raises:
            ExportError: No layer has an image.
        """
        sizes = [(a.image_height, a.image_width) for a in self.layers if a.image_height is not None]
        if not sizes:
            raise ExportError(f"{self.build}: no layer {self.step} has an image")
        height, width = max(set(sizes), key=sizes.count)
        assert height is not None
        assert width is not None
        return height, width

    def layers_below(self, number: int) -> int:
        """Return how many layers lie below one; by its height where that is recorded.

        Numbers may count from 0 or from 1; a height says which.
        """
        known = next((layer for layer in self.layers if layer.height_um is not None), None)
        if known is None or known.height_um is None or self.layer_height_um is None:
            return number - 1
        return number - known.number + round(known.height_um / self.layer_height_um) - 1

    def needed_plate(self, why: str) -> Plate:
        """Return the plate.

        Raises:
            ExportError: There are no plate coordinates.
        """
        if self.plate is None:
            raise ExportError(
                f"{why} needs plate coordinates: give measure.image_points and "
                "measure.plate_points in the config"
            )
        return self.plate

    def needed_height_mm(self, why: str) -> float:
        """Return the thickness of a layer in mm.

        Raises:
            ExportError: It is not known.
        """
        if self.layer_height_um is None:
            raise ExportError(
                f"{why} needs the thickness of a layer: give watch.layer_height_um in the config"
            )
        return self.layer_height_um / 1000


def read_build(
    record: Record, build: str, step: str, plate: Plate | None, layer_height_um: float | None
) -> Exported:
    """Read what is exported of a build.

    Raises:
        RecordError: There is no such build, or it has no such layers.
    """
    with record.reading() as session:
        row = find_build(session, build)
        layers = tuple(latest_layers(session, row.id, step))
        known = build_classes(session, row.id)
    if not layers:
        raise RecordError(f"{build}: the record has no layers {step} of it: give another --step")
    return Exported(record, build, row.id, step, layers, known, plate, layer_height_um)


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield a folder to write to. It is renamed to ``out`` if nothing fails, else removed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
    unfinished.mkdir()
    try:
        yield unfinished
        unfinished.replace(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
