"""What is seen in a layer, and what is decided from it."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from lwam_mm.monitor.frame.health import FrameHealth
from lwam_mm.monitor.measure.region import Region
from lwam_mm.monitor.measure.tracks import Track

Severity: TypeAlias = Literal["minor", "critical"]
Verdict: TypeAlias = Literal["ok", "minor", "critical", "not_inspected"]
AlarmKind: TypeAlias = Literal["defect", "camera", "missing"]


@dataclass(frozen=True)
class SeenLayer:
    """All that a decision depends on; the record holds it, so that decisions can be made again.

    Attributes:
        number: The layer.
        regions: Its regions; None if it was not inspected. Their tracks do not matter.
        health: The judgement of its frame.
        reason: Why it was not inspected although its frame is usable, for instance a missed
            deadline; or None.
        again: The layer was there before, with another image.
    """

    number: int
    regions: tuple[Region, ...] | None
    health: FrameHealth = field(default_factory=lambda: FrameHealth(True))
    reason: str | None = None
    again: bool = False

    @property
    def inspected(self) -> bool:
        """Whether it counts as evidence, for or against a defect."""
        return self.regions is not None and self.health.usable


@dataclass(frozen=True)
class Alarm:
    """An alarm: raised once, ended once.

    Attributes:
        kind: What it is about.
        severity: How bad it is.
        message: For the operator.
        raised_layer: The layer that raised it.
        class_name: The defect's class; None unless it is about a defect.
        track_id: The defect's track; None unless it is about one.
        ended_layer: The layer that ended it; None while it is open.
    """

    kind: AlarmKind
    severity: Severity
    message: str
    raised_layer: int
    class_name: str | None = None
    track_id: int | None = None
    ended_layer: int | None = None


@dataclass(frozen=True)
class Decision:
    """What is decided about one layer.

    Attributes:
        layer: Its number.
        verdict: "not_inspected" says nothing about the layer, above all not that it is good.
        reason: Why it was not inspected; None if it was.
        regions: Its regions with track and background set.
        raised: Alarms to raise.
        ended: Alarms to end: open ones, with ``ended_layer`` set.
        tracks: The tracks that the layer began, went on with or ended, as they are after it.
    """

    layer: int
    verdict: Verdict
    reason: str | None = None
    regions: tuple[Region, ...] = ()
    raised: tuple[Alarm, ...] = ()
    ended: tuple[Alarm, ...] = ()
    tracks: tuple[Track, ...] = ()
