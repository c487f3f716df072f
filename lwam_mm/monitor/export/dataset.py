"""What operators said about alarms, as training data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from sqlalchemy import select

from lwam_mm.monitor.decide.message import is_about
from lwam_mm.monitor.export.exported import Exported, ExportError
from lwam_mm.monitor.record.store import sha256_of
from lwam_mm.monitor.record.tables import Alarm, Layer, Region
from lwam_mm.monitor.view.pictures import PictureGoneError, frame_of
from lwam_mm.utils.atomic_files import write_atomically

_CLEAR = ("real", "false")
IGNORE = 255
"""Label of pixels about which nobody said anything; training leaves them out."""


def write_dataset(build: Exported, out: Path, side: str) -> str:
    """Write the layers of judged alarms as ``images/SIDE`` and ``masks/SIDE``.

    A region of a real alarm keeps its class, one of a false alarm becomes background, any other one
    becomes 255, which training ignores. A further build can go into the same folder; keep a build
    on one side.

    Raises:
        ExportError: No alarm was judged real or false, or a file exists already.
    """
    judged = judged_regions(build)
    layers = [layer for layer in build.layers if layer.id in judged and layer.state == "inspected"]
    if not layers:
        raise ExportError(
            f"{build.build}: no alarm {build.step} was judged real or false: judge them on the page"
        )
    paths = {layer.id: _paths(build, layer, out, side) for layer in layers}
    for path in (path for pair in paths.values() for path in pair):
        if path.exists():
            raise ExportError(f"{path} exists: this build was exported before; remove it first")
    written, gone = 0, 0
    for layer in layers:
        try:
            image, labels = frame_of(build.record, layer), build.labels(layer)
        except PictureGoneError:
            gone += 1
            continue
        truth = judge_mask(labels, judged[layer.id], build.classes)
        for path, picture in zip(paths[layer.id], (image, truth), strict=True):
            _, png = cv2.imencode(".png", picture)
            write_atomically(path, png.tobytes())
        written += 1
    told = f"; the images of {gone} more layers are gone" if gone else ""
    return f"wrote {written} frames and masks to {out}{told}"


def judged_regions(build: Exported) -> dict[int, list[tuple[Region, str]]]:
    """Return the regions of alarms that were judged real or false, with the verdict, by layer's id.

    An alarm is about all regions of its track, that of a late layer about the one that it names.
    Of several alarms, what was said about the last counts.
    """
    with build.record.reading() as session:
        alarms = session.scalars(
            select(Alarm)
            .join(Layer, Layer.id == Alarm.layer_id)
            .where(Alarm.build_id == build.build_id, Layer.step == build.step)
            .where(Alarm.kind == "defect", Alarm.operator_verdict.is_not(None))
            .order_by(Alarm.id)
        ).all()
        said = {alarm.track_id: alarm.operator_verdict for alarm in alarms if alarm.track_id}
        late = [alarm for alarm in alarms if not alarm.track_id]
        regions = session.scalars(
            select(Region)
            .where(
                Region.track_id.in_([track for track, verdict in said.items() if verdict in _CLEAR])
                | Region.layer_id.in_([alarm.layer_id for alarm in late])
            )
            .order_by(Region.id)
        ).all()
    found: dict[int, list[tuple[Region, str]]] = {}
    for region in regions:
        verdict = None if region.track_id is None else said.get(region.track_id)
        for alarm in late:
            if alarm.layer_id == region.layer_id and is_about(alarm.message, region):
                verdict = alarm.operator_verdict
        if verdict in _CLEAR:
            found.setdefault(region.layer_id, []).append((region, verdict))
    return found


def judge_mask(
    labels: np.ndarray, judged: Sequence[tuple[Region, str]], classes: Sequence[str]
) -> np.ndarray:
    """Turn a model's answer into what the operator says.

    Args:
        labels: uint8 of shape (H, W), the model's answer.
        judged: The layer's regions that were judged, with "real" or "false".
        classes: Class names, the background first.

    Returns:
        uint8 of shape (H, W): 0, the class of what is real, or 255.
    """
    truth = np.where(labels == 0, 0, IGNORE).astype(np.uint8)
    for region, verdict in judged:
        index = classes.index(region.class_name)
        box = np.s_[region.y : region.y + region.height, region.x : region.x + region.width]
        _, numbers = cv2.connectedComponents((labels[box] == index).astype(np.uint8))
        # The mask also holds what the region of interest and the background took from the region.
        sizes = np.bincount(numbers.ravel())
        fits = [n for n in range(1, len(sizes)) if sizes[n] >= region.area_px]
        if fits:
            pixels = numbers == min(fits, key=sizes.__getitem__)
            truth[box][pixels] = index if verdict == "real" else 0
    return truth


def _paths(build: Exported, layer: Layer, out: Path, side: str) -> tuple[Path, Path]:
    name = f"{_file_name(build.build)}_{build.step}_{layer.number:06d}_{layer.revision}.png"
    return out / "images" / side / name, out / "masks" / side / name


def _file_name(build: str) -> str:
    """Return a name for files: the build's, where that is one, or else made unique by its hash."""
    plain = re.sub(r"[^\w.-]", "_", build)[:60]
    return plain if plain == build else f"{plain}_{sha256_of(build)[:8]}"
