"""Layers, regions, tracks and alarms as tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from lwam_mm.monitor.export.exported import Exported, whole_folder
from lwam_mm.monitor.record.tables import Layer, Region, Track
from lwam_mm.monitor.view.build_data import HEALTH, alarm_rows

_LAYER = (
    "number", "height_um", "revision", "state", "verdict", "reason", "late", "deadline_missed",
    "path", "image_sha256", "model_sha256", "config_sha256", "recorded_at", "inference_ms",
    "total_ms",
)  # fmt: skip
_REGION = (
    "class_name", "area_px", "area_mm2", "x", "y", "width", "height", "centre_x", "centre_y",
    "plate_x_mm", "plate_y_mm", "mean_probability", "part_id", "part_distance_mm", "background",
)  # fmt: skip
_TRACK = ("number", "class_name", "first_layer", "last_layer", "layers", "max_area_px", "ended",
          "background")  # fmt: skip
_ALARM = (
    "layer", "kind", "severity", "class_name", "track", "message", "raised_at", "ended_layer",
    "acknowledged_at", "acknowledged_by", "operator_verdict", "note",
)  # fmt: skip


def write_csv(build: Exported, out: Path) -> str:
    """Write a folder with ``layers.csv``, ``regions.csv``, ``tracks.csv`` and ``alarms.csv``.

    Lengths are in px unless the column's name says mm or µm; empty cells are not known.
    """
    ids = {layer.id: layer.number for layer in build.layers}
    with build.record.reading() as session, whole_folder(out) as folder:
        _write(
            folder / "layers.csv",
            (*_LAYER, *HEALTH),
            (
                [*(getattr(layer, name) for name in _LAYER), *map(layer.health.get, HEALTH)]
                for layer in build.layers
            ),
        )
        regions = session.execute(
            select(Region, Track.number)
            .join(Layer, Layer.id == Region.layer_id)
            .outerjoin(Track, Track.id == Region.track_id)
            .where(Layer.build_id == build.build_id, Layer.step == build.step)
            .order_by(Layer.number, Region.id)
            .execution_options(yield_per=1000)
        )
        count = _write(
            folder / "regions.csv",
            ("layer", "track", *_REGION),
            (
                [ids[region.layer_id], track, *(getattr(region, name) for name in _REGION)]
                for region, track in regions
                if region.layer_id in ids
            ),
        )
        tracks = session.scalars(
            select(Track)
            .where(Track.build_id == build.build_id, Track.step == build.step)
            .order_by(Track.number)
        )
        _write(
            folder / "tracks.csv", _TRACK, ([getattr(t, name) for name in _TRACK] for t in tracks)
        )
        alarms = [a for a in alarm_rows(session, build.build_id)[::-1] if a["step"] == build.step]
        _write(folder / "alarms.csv", _ALARM, ([a[name] for name in _ALARM] for a in alarms))
    return f"wrote {out}: {len(build.layers)} layers, {count} regions"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in rows:
            writer.writerow([_cell(value) for value in row])
            count += 1
    return count


def _cell(value: Any) -> Any:
    # A spreadsheet would run a note such as "=HYPERLINK(...)" as a formula.
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
