"""The registers that a PLC reads, and where their values come from."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from lwam_mm.monitor.record.tables import Layer
from lwam_mm.monitor.signal.messages import open_alarms

HEARTBEAT, ALARM, LAYER, ACKNOWLEDGE, VERDICT = 0, 1, 2, 4, 5
COUNT = 6
NO_ALARM, MINOR, CRITICAL, TROUBLE = 0, 1, 2, 3
VERDICT_NUMBERS = {"ok": 1, "minor": 2, "critical": 3, "not_inspected": 4}


@dataclass(frozen=True)
class Shown:
    """What the registers show.

    Attributes:
        alarm: `NO_ALARM`, `MINOR`, `CRITICAL`: the worst open alarm; `TROUBLE`: nobody knows.
        layer: Number of the layer that was recorded last, 0 before the first.
        verdict: Its verdict, see `VERDICT_NUMBERS`; 0 before the first.
    """

    alarm: int = NO_ALARM
    layer: int = 0
    verdict: int = 0

    def registers(self, heartbeat: int) -> list[int]:
        """Return all registers, 16 bits each; the layer's high word comes first."""
        found = [0] * COUNT
        found[HEARTBEAT], found[ALARM] = heartbeat % 2**16, self.alarm
        found[LAYER], found[LAYER + 1] = divmod(self.layer % 2**32, 2**16)
        found[VERDICT] = self.verdict
        return found


def latest_build(session: Session) -> int | None:
    """Return the id of the build whose layer was recorded last; None before the first."""
    layer = _latest(session)
    return None if layer is None else layer.build_id


def read_shown(session: Session) -> Shown:
    """Return what the record says of the latest build."""
    layer = _latest(session)
    if layer is None:
        return Shown()
    severities = {alarm.severity for alarm in open_alarms(session, layer.build_id)}
    alarm = CRITICAL if "critical" in severities else MINOR if severities else NO_ALARM
    return Shown(alarm, max(0, layer.number), VERDICT_NUMBERS[layer.verdict])


def _latest(session: Session) -> Layer | None:
    return session.scalar(
        select(Layer).where(Layer.state != "missing").order_by(Layer.id.desc()).limit(1)
    )
