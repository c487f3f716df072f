"""Alarms about the camera itself."""

from dataclasses import replace

from lwam_mm.monitor.decide.decision import Alarm, Severity
from lwam_mm.monitor.frame.health import FrameHealth


class CameraAlarms:
    """Raises an alarm when frames cannot be used, and one when they soon cannot.

    Args:
        layers: So many unusable frames in a row raise an alarm.
        severity: That alarm's severity; a warning is minor.
    """

    def __init__(self, layers: int, severity: Severity) -> None:
        self._layers = layers
        self._severity = severity
        self._unusable = 0
        self._failure: Alarm | None = None
        self._warning: Alarm | None = None

    @property
    def open_alarms(self) -> tuple[Alarm, ...]:
        """The alarms that are open now."""
        return tuple(alarm for alarm in (self._failure, self._warning) if alarm is not None)

    def update(self, layer: int, health: FrameHealth) -> tuple[list[Alarm], list[Alarm]]:
        """Take the next frame's judgement; return the alarms to raise and those to end."""
        raised: list[Alarm] = []
        ended: list[Alarm] = []
        self._unusable = 0 if health.usable else self._unusable + 1
        if health.usable and self._failure is not None:
            ended.append(replace(self._failure, ended_layer=layer))
            self._failure = None
        if self._unusable >= self._layers and self._failure is None:
            reason = health.reason or "the frame cannot be used"
            self._failure = Alarm("camera", self._severity, f"Camera: {reason}", layer)
            raised.append(self._failure)
        # An unusable frame says nothing of the slow change that the warning is about.
        if health.usable and health.warning is None and self._warning is not None:
            ended.append(replace(self._warning, ended_layer=layer))
            self._warning = None
        if health.usable and health.warning is not None and self._warning is None:
            self._warning = Alarm("camera", "minor", f"Camera: {health.warning}", layer)
            raised.append(self._warning)
        return raised, ended
