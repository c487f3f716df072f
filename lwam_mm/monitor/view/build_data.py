"""Reads what is shown of a build, as columns of figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lwam_mm.monitor.record.classes import build_classes
from lwam_mm.monitor.record.tables import Alarm, Layer, Region, Track
from lwam_mm.monitor.view.colours import LETTERS, class_colour

HEALTH = ("mean", "contrast", "sharpness", "shift_x", "shift_y")
"""Figures of the camera's health that are shown over the layers."""


@dataclass(frozen=True)
class LayerColumns:
    """The layers of one step by number; of a layer that was revised, the last revision.

    Attributes:
        ids: Id of each layer in the record.
        numbers: Number of each layer.
        verdicts: One letter each: o (ok), m (minor), c (critical), n (not inspected), x (missing).
        health: Figures of the camera by name, None where they are not known.
    """

    ids: list[int]
    numbers: list[int]
    verdicts: str
    health: dict[str, list[float | None]]


@dataclass(frozen=True)
class RegionPoints:
    """Places of regions without those of the background.

    Attributes:
        unit: ``mm`` with plate coordinates, else ``px``.
        layers: Number of each region's layer.
        x: Centre, to the right.
        y: Centre; in mm to the back of the plate, in px downwards.
        areas: In mm² or px.
        classes: Class name of each.
        left_out: Number of regions that were left out, the smallest, to keep to a limit.
    """

    unit: str
    layers: list[int]
    x: list[float]
    y: list[float]
    areas: list[float]
    classes: list[str]
    left_out: int


def layer_columns(session: Session, build_id: int, step: str, after: int = 0) -> LayerColumns:
    """Return a build's layers by number; with ``after`` only those with a higher id."""
    # The database takes the figures out of the JSON in a third of the time that Python needs.
    figures = [Layer.health[name].as_float().label(name) for name in HEALTH]
    rows = session.execute(
        select(Layer.id, Layer.number, Layer.state, Layer.verdict, *figures)
        .where(Layer.build_id == build_id, Layer.step == step, Layer.id > after)
        .order_by(Layer.number, Layer.id)
    ).all()
    last = {row.number: row for row in rows}.values()
    return LayerColumns(
        ids=[row.id for row in last],
        numbers=[row.number for row in last],
        verdicts="".join(LETTERS[r.verdict if r.state != "missing" else "missing"] for r in last),
        health={name: [_rounded(getattr(row, name)) for row in last] for name in HEALTH},
    )


def latest_layers(session: Session, build_id: int, step: str) -> Sequence[Layer]:
    """Return the last revision of each layer, by number."""
    chosen = select(Layer).where(Layer.id.in_(_latest_ids(build_id, step)))
    return session.scalars(chosen.order_by(Layer.number)).all()


def area_by_class(session: Session, build_id: int, step: str) -> tuple[str, dict[str, Any]]:
    """Return the area of each class over the layers, without what is background.

    Returns:
        The unit, ``mm²`` if all regions have plate coordinates, else ``px``; and by class name
        ``layers`` and ``areas``, for the layers in which it occurs.
    """
    mm2 = func.sum(Region.area_mm2)
    known = func.count(Region.area_mm2) == func.count(Region.id)
    rows = session.execute(
        select(Layer.number, Region.class_name, func.sum(Region.area_px), mm2, known)
        .join(Layer, Layer.id == Region.layer_id)
        .where(Layer.id.in_(_latest_ids(build_id, step)), Region.background.is_(False))
        .group_by(Layer.number, Region.class_name)
        .order_by(Layer.number)
    ).all()
    in_mm = bool(rows) and all(row[4] for row in rows)
    found: dict[str, Any] = defaultdict(lambda: {"layers": [], "areas": []})
    for number, name, pixels, area, _ in rows:
        found[name]["layers"].append(number)
        found[name]["areas"].append(round(area or 0.0, 3) if in_mm else int(pixels))
    return "mm²" if in_mm else "px", dict(found)


def region_points(session: Session, build_id: int, step: str, limit: int = 20_000) -> RegionPoints:
    """Return the places of a build's regions; of more than ``limit`` the largest."""
    chosen = (Layer.id.in_(_latest_ids(build_id, step)), Region.background.is_(False))
    query = (
        select(  # columns, not objects: there may be tens of thousands
            Layer.number, Region.class_name, Region.plate_x_mm, Region.plate_y_mm,
            Region.area_mm2, Region.area_px, Region.centre_x, Region.centre_y,
        )
        .join(Layer, Layer.id == Region.layer_id)
        .where(*chosen)
    )  # fmt: skip
    counted = select(func.count(Region.id)).join(Layer, Layer.id == Region.layer_id)
    total = session.scalar(counted.where(*chosen)) or 0
    rows = session.execute(query.order_by(Region.area_px.desc(), Region.id).limit(limit)).all()
    rows = sorted(rows, key=lambda row: row.number)
    in_mm = bool(rows) and all(row.plate_x_mm is not None for row in rows)
    return RegionPoints(
        unit="mm" if in_mm else "px",
        layers=[row.number for row in rows],
        x=[round(r.plate_x_mm or 0.0 if in_mm else r.centre_x, 2) for r in rows],
        y=[round(r.plate_y_mm or 0.0 if in_mm else r.centre_y, 2) for r in rows],
        areas=[round(r.area_mm2 or 0.0, 3) if in_mm else r.area_px for r in rows],
        classes=[row.class_name for row in rows],
        left_out=total - len(rows),
    )


def alarm_rows(session: Session, build_id: int) -> list[dict[str, Any]]:
    """Return all alarms of a build, the newest first."""
    rows = session.execute(
        select(Alarm, Layer.number, Layer.step, Track.number)
        .join(Layer, Layer.id == Alarm.layer_id)
        .outerjoin(Track, Track.id == Alarm.track_id)
        .where(Alarm.build_id == build_id)
        .order_by(Alarm.id.desc())
    ).all()
    return [
        {
            "id": alarm.id,
            "layer_id": alarm.layer_id,
            "layer": number,
            "step": step,
            "kind": alarm.kind,
            "severity": alarm.severity,
            "class_name": alarm.class_name,
            "track": track,
            "message": alarm.message,
            "raised_at": alarm.raised_at.isoformat(timespec="seconds"),
            "ended_layer": alarm.ended_layer,
            "acknowledged_at": alarm.acknowledged_at
            and alarm.acknowledged_at.isoformat(timespec="seconds"),
            "acknowledged_by": alarm.acknowledged_by,
            "operator_verdict": alarm.operator_verdict,
            "note": alarm.note,
        }
        for alarm, number, step, track in rows
    ]


def class_colours(session: Session, build_id: int) -> dict[str, str]:
    """Return the colour of each class of a build, without the background.

    Classes of an earlier model of the build, which the latest does not have, follow at the end.
    """
    names = list(build_classes(session, build_id).names[1:])  # as the pictures have them
    found = session.scalars(
        select(Region.class_name)
        .join(Layer, Layer.id == Region.layer_id)
        .where(Layer.build_id == build_id)
        .distinct()
    )
    names += sorted(set(found) - set(names))
    return {name: class_colour(index) for index, name in enumerate(names, start=1)}


def steps_of(session: Session, build_id: int) -> Sequence[str]:
    """Return the steps of which a build has layers, the recoated first."""
    found = session.scalars(select(Layer.step).where(Layer.build_id == build_id).distinct())
    return sorted(found, key=("recoated", "exposed").index)


def _latest_ids(build_id: int, step: str) -> Any:
    return (
        select(func.max(Layer.id))
        .where(Layer.build_id == build_id, Layer.step == step)
        .group_by(Layer.number)
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
