"""What operators said about alarms, as training data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from sqlalchemy import select

from lwam_mm.monitor.export.exported import Exported, ExportError
from lwam_mm.monitor.record.store import sha256_of
from lwam_mm.monitor.record.tables import Alarm, Layer, Region
from lwam_mm.monitor.view.pictures import PictureGoneError, frame_of
from lwam_mm.utils.atomic_files import write_atomically

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
    with build.record.reading() as session:
        alarms = session.scalars(
            select(Alarm)
            .join(Layer, Layer.id == Alarm.layer_id)
            .where(Alarm.build_id == build.build_id, Layer.step == build.step)
            .where(Alarm.kind == "defect")
            .order_by(Alarm.id)
        ).all()
        # What was said last about a track counts; a track without a verdict is not known.
        said = {alarm.track_id: alarm.operator_verdict for alarm in alarms}
        judged = [track for track, verdict in said.items() if verdict in ("real", "false")]
        ids = set(
            session.scalars(select(Region.layer_id).where(Region.track_id.in_(judged)).distinct())
        )
        regions = session.scalars(select(Region).where(Region.layer_id.in_(ids))).all()
    layers = [layer for layer in build.layers if layer.id in ids and layer.state == "inspected"]
    if not layers:
        raise ExportError(
            f"{build.build}: no alarm {build.step} was judged real or false: judge them on the page"
        )
    written, gone = 0, 0
    for layer in layers:
        try:
            image, labels = frame_of(build.record, layer), build.labels(layer)
        except PictureGoneError:
            gone += 1
            continue
        truth = judge_mask(
            labels,
            [region for region in regions if region.layer_id == layer.id],
            said,
            build.classes,
        )
        name = f"{_file_name(build.build)}_{build.step}_{layer.number:06d}_{layer.revision}.png"
        for folder, picture in (("images", image), ("masks", truth)):
            path = out / folder / side / name
            if path.exists():
                raise ExportError(f"{path} exists: this build was exported before; remove it first")
            _, png = cv2.imencode(".png", picture)
            write_atomically(path, png.tobytes())
        written += 1
    told = f"; the images of {gone} more layers are gone" if gone else ""
    return f"wrote {written} frames and masks to {out}{told}"


def judge_mask(
    labels: np.ndarray,
    regions: Sequence[Region],
    said: dict[int | None, str | None],
    classes: Sequence[str],
) -> np.ndarray:
    """Turn a model's answer into what the operator says.

    Args:
        labels: uint8 of shape (H, W), the model's answer.
        regions: The layer's regions.
        said: The operator's verdict by id of the track.
        classes: Class names, the background first.

    Returns:
        uint8 of shape (H, W): 0, the class of what is real, or 255.
    """
    truth = np.where(labels == 0, 0, IGNORE).astype(np.uint8)
    verdicts = {
        (region.class_name, region.x, region.y, region.width, region.height): said.get(
            region.track_id
        )
        for region in regions
    }
    for index, name in enumerate(classes):
        if index == 0:
            continue
        count, numbers, boxes, _ = cv2.connectedComponentsWithStats(
            (labels == index).astype(np.uint8), connectivity=8
        )
        for number in range(1, count):
            x, y, width, height = (int(value) for value in boxes[number][:4])
            verdict = verdicts.get((name, x, y, width, height))
            if verdict in ("real", "false"):
                truth[numbers == number] = index if verdict == "real" else 0
    return truth


def _file_name(build: str) -> str:
    """Return a name for files: the build's, where that is one, or else made unique by its hash."""
    plain = re.sub(r"[^\w.-]", "_", build)[:60]
    return plain if plain == build else f"{plain}_{sha256_of(build)[:8]}"
