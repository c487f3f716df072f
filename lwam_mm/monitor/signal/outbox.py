"""The messages to send, written in the transaction of what they tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from lwam_mm.monitor.record.store import now
from lwam_mm.monitor.record.tables import Alarm, Layer, Outbox
from lwam_mm.monitor.signal.messages import (
    Message,
    acknowledged_message,
    alarm_message,
    layer_message,
)

KEPT = timedelta(days=7)
"""How long sent messages stay in the record."""


class OutboxWriter:
    """Writes messages for each channel that wants them.

    Args:
        channels: The events that each channel wants, by its name.
    """

    def __init__(self, channels: Mapping[str, Iterable[str]]) -> None:
        self._channels = {name: frozenset(events) for name, events in channels.items()}

    def layer(self, session: Session, layer: Layer, raised: Sequence[Alarm]) -> None:
        """Write what is told about a layer and the alarms that it raised."""
        self._write(session, [layer_message(session, layer, raised)])
        self._write(session, [alarm_message(session, alarm) for alarm in raised])

    def acknowledged(self, session: Session, alarms: Sequence[Alarm]) -> None:
        """Write that alarms were acknowledged."""
        self._write(session, [acknowledged_message(session, alarm) for alarm in alarms])

    def _write(self, session: Session, messages: Iterable[Message]) -> None:
        for message in messages:
            for channel, events in self._channels.items():
                if message["event"] in events:
                    session.add(
                        Outbox(
                            channel=channel,
                            event=message["event"],
                            payload=message,
                            created_at=now(),
                        )
                    )
        session.flush()


def due(session: Session, channel: str, limit: int = 100) -> Sequence[Outbox]:
    """Return the first messages that a channel has to send, in the order they were written."""
    waiting = (Outbox.channel == channel, Outbox.sent_at.is_(None), Outbox.failed_at.is_(None))
    return session.scalars(select(Outbox).where(*waiting).order_by(Outbox.id).limit(limit)).all()


def forget_old(session: Session, channel: str) -> None:
    """Delete messages that were sent long ago."""
    old = (Outbox.channel == channel, Outbox.sent_at < now() - KEPT)
    session.execute(delete(Outbox).where(*old))
