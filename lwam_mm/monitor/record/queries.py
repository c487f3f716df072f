"""Reads the record: what is known of each build."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lwam_mm.monitor.record.tables import Alarm, Arrival, Build, Layer

IS_OPEN = (Alarm.ended_layer.is_(None), Alarm.acknowledged_at.is_(None))
"""An alarm is open until it ends or is acknowledged."""

PUT_ASIDE = ("unreadable", "unnamed")
"""Outcomes of files that no layer came of."""


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


@dataclass(frozen=True)
class PutAside:
    """A file that no layer came of.

    Attributes:
        build: The build that its name says; None if it says none.
        path: Its path below the watched folder.
        reason: Why.
        at: When, in UTC.
    """

    build: str | None
    path: str
    reason: str
    at: datetime


def files_put_aside(session: Session) -> list[PutAside]:
    """Return the files that were put aside and not taken since, in the order of their names."""
    latest = select(func.max(Arrival.id)).group_by(Arrival.path)
    rows = session.execute(
        select(Arrival, Build.name)
        .outerjoin(Build, Build.id == Arrival.build_id)
        .where(Arrival.id.in_(latest), Arrival.outcome.in_(PUT_ASIDE))
        .order_by(Arrival.path)
    )
    return [PutAside(name, row.path, row.reason or "", row.at) for row, name in rows]
