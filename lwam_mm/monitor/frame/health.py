"""Whether a frame may be inspected, and the figures that say so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FrameHealth:
    """The judgement of one frame.

    Attributes:
        usable: Whether the model's answer to this frame can be trusted. If not, the layer is "not
            inspected", which is never "no defect".
        reason: Why it is not usable; None if it is.
        values: Figure by name; see `FrameJudge`.
        warning: What should be seen to although the frame is usable, for instance soot; or None.
    """

    usable: bool
    reason: str | None = None
    values: dict[str, float] = field(default_factory=dict)
    warning: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the record keeps it: the figures, and as texts what is wrong."""
        texts = {"reason": self.reason, "warning": self.warning}
        if not self.usable and self.reason is None:
            texts["reason"] = "the frame cannot be used"
        return {**self.values, **{name: text for name, text in texts.items() if text is not None}}

    @classmethod
    def from_json(cls, recorded: Mapping[str, Any]) -> "FrameHealth":
        """Make it again from what `to_json` returned.

        Example:
            >>> health = FrameHealth(False, "the frame is dark", {"dark": 0.9})
            >>> FrameHealth.from_json(health.to_json()) == health
            True
        """
        values = {
            name: value for name, value in recorded.items() if name not in ("reason", "warning")
        }
        reason = recorded.get("reason")
        return cls(reason is None, reason, values, recorded.get("warning"))
