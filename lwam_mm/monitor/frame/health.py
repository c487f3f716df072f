"""Whether a frame may be inspected, and the figures that say so."""

from dataclasses import dataclass, field


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
