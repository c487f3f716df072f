"""An operator, or the PLC, acknowledges alarms."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from lwam_mm.monitor.record.store import now
from lwam_mm.monitor.record.tables import Alarm
from lwam_mm.monitor.signal.outbox import OutboxWriter


def acknowledge(
    session: Session, alarms: Sequence[Alarm], by: str, outbox: OutboxWriter | None = None
) -> None:
    """Mark alarms as acknowledged and tell the channels; those that were before stay as they are.

    Args:
        session: A transaction that writes.
        alarms: The alarms.
        by: Who it was.
        outbox: Tells the channels; None tells nobody.
    """
    fresh = [alarm for alarm in alarms if alarm.acknowledged_at is None]
    for alarm in fresh:
        alarm.acknowledged_at, alarm.acknowledged_by = now(), by
    session.flush()
    if outbox is not None:
        outbox.acknowledged(session, fresh)
