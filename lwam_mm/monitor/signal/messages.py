"""What is told about a layer, an alarm and the monitor itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from lwam_mm.monitor.record.queries import IS_OPEN
from lwam_mm.monitor.record.store import now
from lwam_mm.monitor.record.tables import Alarm, Build, Layer, Track

Message = dict[str, Any]


def layer_message(session: Session, layer: Layer, raised: Sequence[Alarm]) -> Message:
    """Return what is told about a layer: its verdict, and the alarms that it raised."""
    build = session.get_one(Build, layer.build_id)
    return {
        "event": "layer",
        "at": now().isoformat(),
        "build": build.name,
        "layer": layer.number,
        "step": layer.step,
        "revision": layer.revision,
        "verdict": layer.verdict,
        "reason": layer.reason,
        "alarms": [_alarm(session, alarm) for alarm in raised],
        "stop_requested": stop_requested(session, build.id),
    }


def alarm_message(session: Session, alarm: Alarm) -> Message:
    """Return what is told about an alarm that was raised."""
    build, layer = session.get_one(Build, alarm.build_id), session.get_one(Layer, alarm.layer_id)
    return {
        "event": "alarm",
        "at": alarm.raised_at.isoformat(),
        "build": build.name,
        "layer": layer.number,
        "step": layer.step,
        "alarm": _alarm(session, alarm),
        "stop_requested": stop_requested(session, build.id),
    }


def acknowledged_message(session: Session, alarm: Alarm) -> Message:
    """Return what is told about an alarm that was acknowledged."""
    return {
        **alarm_message(session, alarm),
        "event": "acknowledged",
        "at": now().isoformat(),
        "by": alarm.acknowledged_by,
    }


def state_message(trouble: str | None) -> Message:
    """Return what is told about the monitor itself; ``trouble`` is None if all is well."""
    return {"event": "state", "at": now().isoformat(), "status": "online", "trouble": trouble}


def open_alarms(session: Session, build_id: int) -> Sequence[Alarm]:
    """Return the alarms of a build that have neither ended nor been acknowledged."""
    return session.scalars(select(Alarm).where(Alarm.build_id == build_id, *IS_OPEN)).all()


def stop_requested(session: Session, build_id: int) -> bool:
    """Return whether a critical alarm of the build is open."""
    return any(alarm.severity == "critical" for alarm in open_alarms(session, build_id))


def _alarm(session: Session, alarm: Alarm) -> Message:
    track = None if alarm.track_id is None else session.get(Track, alarm.track_id)
    return {
        "id": alarm.id,
        "kind": alarm.kind,
        "severity": alarm.severity,
        "class": alarm.class_name,
        "track": None if track is None else track.number,
        "message": alarm.message,
    }
