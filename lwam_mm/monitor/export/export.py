"""Exports a build in one of the formats."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lwam_mm.monitor.measure.plate import Plate
from lwam_mm.monitor.record.store import Record, RecordError
from lwam_mm.monitor.record.tables import Layer
from lwam_mm.monitor.view.build_data import build_named, class_names, latest_layers
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
        classes: Class names, the background first.
        plate: The way from px to mm; None without plate coordinates.
        layer_height_um: Thickness of a layer, µm; None if it is not known.
    """

    record: Record
    build: str
    build_id: int
    step: str
    layers: tuple[Layer, ...]
    classes: tuple[str, ...]
    plate: Plate | None
    layer_height_um: float | None

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
        row = build_named(session, build)
        layers = tuple(latest_layers(session, row.id, step))
        classes = class_names(session, row.id)
    if not layers:
        raise RecordError(f"{build}: the record has no layers {step} of it: give another --step")
    return Exported(record, build, row.id, step, layers, classes, plate, layer_height_um)


def export(build: Exported, form: str, out: Path, max_mb: float = 512, side: str = "train") -> str:
    """Write a build in one of the formats, whole or not at all.

    Args:
        build: The build.
        form: ``vti``, ``hdf5``, ``csv``, ``stl`` or ``dataset``.
        out: The file; a folder for ``csv`` and ``dataset``.
        max_mb: Bound on memory and size of ``vti`` and ``stl``, MB (10^6 bytes).
        side: Side of the data set, for ``dataset``.

    Returns:
        What was written, in a sentence.

    Raises:
        ExportError: ``out`` exists, or the build lacks what the format needs.
    """
    if form != "dataset" and out.exists():
        raise ExportError(f"{out} exists: remove it or give another --out")
    if form == "vti":
        from lwam_mm.monitor.export.vti import write_vti

        return write_vti(build, out, max_mb)
    if form == "hdf5":
        from lwam_mm.monitor.export.hdf5 import write_hdf5

        return write_hdf5(build, out)
    if form == "csv":
        from lwam_mm.monitor.export.csv_files import write_csv

        return write_csv(build, out)
    if form == "stl":
        from lwam_mm.monitor.export.stl import write_stl

        return write_stl(build, out, max_mb)
    from lwam_mm.monitor.export.dataset import write_dataset

    return write_dataset(build, out, side)


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Give a folder to write to, which becomes ``out`` if nothing fails."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
    unfinished.mkdir()
    try:
        yield unfinished
        unfinished.replace(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
