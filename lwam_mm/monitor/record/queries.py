"""Reads the record: what is known of each build."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lwam_mm.monitor.record.tables import Alarm, Arrival, Build, Layer

IS_OPEN = (Alarm.ended_layer.is_(None), Alarm.acknowledged_at.is_(None))
"""An alarm is open until it ends or is acknowledged."""


@dataclass(frozen=True)
class BuildStatus:
    """Counts of one build. Alarms are open until they end or are acknowledged."""

    build: str
    seen: int
    missing: int
    late: int
    duplicate: int
    revised: int
    not_inspected: int
    open_alarms: int
    open_critical_alarms: int


def build_status(session: Session) -> list[BuildStatus]:
    """Return the counts of every build, in the order in which they began."""
    found = []
    for build in session.scalars(select(Build).order_by(Build.id)):
        layers = select(func.count()).select_from(Layer).where(Layer.build_id == build.id)
        arrivals = select(func.count()).select_from(Arrival).where(Arrival.build_id == build.id)
        alarms = select(func.count()).select_from(Alarm).where(Alarm.build_id == build.id, *IS_OPEN)
        counts = [
            layers.where(Layer.state != "missing", Layer.revision == 0),
            layers.where(Layer.state == "missing"),
            layers.where(Layer.late),
            arrivals.where(Arrival.outcome == "duplicate"),
            arrivals.where(Arrival.outcome == "revised"),
            layers.where(Layer.state == "not_inspected"),
            alarms,
            alarms.where(Alarm.severity == "critical"),
        ]
        found.append(BuildStatus(build.name, *(session.scalar(count) or 0 for count in counts)))
    return found
