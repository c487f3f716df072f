"""Writes what was decided about a layer: tracks, regions and alarms."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields

from sqlalchemy import select
from sqlalchemy.orm import Session

from lwam_mm.monitor.decide.decision import Alarm as DecidedAlarm
from lwam_mm.monitor.decide.decision import Decision
from lwam_mm.monitor.measure.region import Region as FoundRegion
from lwam_mm.monitor.record.store import now
from lwam_mm.monitor.record.tables import Alarm, Layer, Region, Track

_COPIED = ("class_name", "first_layer", "last_layer", "ended", "layers", "max_area_px")
_MEASURED = tuple(field.name for field in fields(FoundRegion) if field.name != "track_id")


def write_decision(
    session: Session, layer: Layer, decision: Decision, missing: Collection[int]
) -> list[Alarm]:
    """Write a decision's rows.

    Args:
        session: The layer's transaction.
        layer: The layer's row, with its id.
        decision: What was decided.
        missing: Layers that are missing just before this one.

    Returns:
        The alarms that were raised.
    """
    for track in decision.tracks:
        row = _track(session, layer, track.id)
        if row is None:
            row = Track(build_id=layer.build_id, step=layer.step, number=track.id)
            session.add(row)
        for name in (*_COPIED, "background"):
            setattr(row, name, getattr(track, name))
    session.flush()
    for region in decision.regions:
        values = {name: getattr(region, name) for name in _MEASURED}
        session.add(
            Region(layer_id=layer.id, track_id=_track_id(session, layer, region.track_id), **values)
        )
    for alarm in decision.ended:
        opened = _open_alarm(session, layer, alarm)
        if opened is not None:
            opened.ended_layer = alarm.ended_layer
    raised = [_alarm(session, layer, alarm) for alarm in decision.raised]
    if missing:
        numbers = (
            f"layer {min(missing)}"
            if len(missing) == 1
            else (f"layers {min(missing)} to {max(missing)}")
        )
        text = f"{numbers}: there is no image"
        raised.append(_alarm(session, layer, DecidedAlarm("missing", "minor", text, layer.number)))
    session.flush()
    return raised


def end_missing_alarm(session: Session, layer: Layer) -> None:
    """End the alarm about a gap once a late layer, already written, has closed all of it."""
    alarms = session.execute(
        select(Alarm, Layer.number)
        .join(Layer, Layer.id == Alarm.layer_id)
        .where(Alarm.build_id == layer.build_id, Layer.step == layer.step, Alarm.kind == "missing")
        .order_by(Layer.number)
    ).all()
    before = 0  # number of the layer behind the gap before
    for alarm, number in alarms:
        if layer.number < number:
            gap = select(Layer.id).where(
                Layer.build_id == layer.build_id,
                Layer.step == layer.step,
                Layer.state == "missing",
                Layer.number.between(before, number),
            )
            if alarm.ended_layer is None and session.scalar(gap.limit(1)) is None:
                alarm.ended_layer = layer.number
            return
        before = number


def _alarm(session: Session, layer: Layer, alarm: DecidedAlarm) -> Alarm:
    row = Alarm(
        build_id=layer.build_id,
        layer_id=layer.id,
        kind=alarm.kind,
        severity=alarm.severity,
        class_name=alarm.class_name,
        track_id=_track_id(session, layer, alarm.track_id),
        message=alarm.message,
        raised_at=now(),
        ended_layer=alarm.ended_layer,
    )
    session.add(row)
    return row


def _track(session: Session, layer: Layer, number: int) -> Track | None:
    return session.scalar(
        select(Track).where(
            Track.build_id == layer.build_id, Track.step == layer.step, Track.number == number
        )
    )


def _track_id(session: Session, layer: Layer, number: int | None) -> int | None:
    track = None if number is None else _track(session, layer, number)
    return None if track is None else track.id


def _open_alarm(session: Session, layer: Layer, alarm: DecidedAlarm) -> Alarm | None:
    return session.scalars(
        select(Alarm)
        .join(Layer, Alarm.layer_id == Layer.id)
        .where(
            Alarm.build_id == layer.build_id,
            Layer.step == layer.step,
            Alarm.kind == alarm.kind,
            Alarm.severity == alarm.severity,
            Alarm.class_name.is_not_distinct_from(alarm.class_name),
            Alarm.track_id.is_not_distinct_from(_track_id(session, layer, alarm.track_id)),
            Alarm.ended_layer.is_(None),
        )
        # Alarms of late layers have no track, so several may be open.
        .order_by((Alarm.message == alarm.message).desc(), Alarm.id.desc())
    ).first()
