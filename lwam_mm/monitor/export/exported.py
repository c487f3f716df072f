"""A recorded build as every format takes it, and the folder that it is written to."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from lwam_mm.monitor.measure.plate import Plate
from lwam_mm.monitor.record.store import Record, RecordError, find_build
from lwam_mm.monitor.record.tables import Document, Layer
from lwam_mm.monitor.view.build_data import class_names, latest_layers
from lwam_mm.monitor.view.pictures import mask_of
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
        classes: Class names, the background first: those of the latest model, then those that only
            an earlier one of the build had.
        lookups: By the hash of a layer's model, which of ``classes`` each label of its mask is.
        plate: The way from px to mm; None without plate coordinates.
        layer_height_um: Thickness of a layer, µm; None if it is not known.
    """

    record: Record
    build: str
    build_id: int
    step: str
    layers: tuple[Layer, ...]
    classes: tuple[str, ...]
    lookups: dict[str, np.ndarray]
    plate: Plate | None
    layer_height_um: float | None

    def labels(self, layer: Layer) -> np.ndarray:
        """Return the mask of a layer, whatever model made it.

        Returns:
            uint8 of shape (H, W), indices of ``classes``.

        Raises:
            PictureGoneError: There is none, or the file is gone.
        """
        lookup = self.lookups[layer.model_sha256 or ""]
        return np.asarray(lookup[mask_of(self.record, layer)])

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
        row = find_build(session, build)
        layers = tuple(latest_layers(session, row.id, step))
        classes, lookups = _classes_of(session, row.id, layers)
    if not layers:
        raise RecordError(f"{build}: the record has no layers {step} of it: give another --step")
    return Exported(record, build, row.id, step, layers, classes, lookups, plate, layer_height_um)


def _classes_of(
    session: Session, build_id: int, layers: Iterable[Layer]
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    known = list(class_names(session, build_id))
    lookups = {}
    for digest in dict.fromkeys(layer.model_sha256 for layer in layers):
        document = None if digest is None else session.get(Document, digest)
        if digest is None or document is None:
            continue
        names = json.loads(document.text)["classes"]
        known += [name for name in names if name not in known]
        lookup = np.arange(256, dtype=np.uint8)
        lookup[: len(names)] = [known.index(name) for name in names]
        lookups[digest] = lookup
    return tuple(known), lookups


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
