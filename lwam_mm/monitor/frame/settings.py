"""How much a frame may differ from the first ones of its build."""

from dataclasses import dataclass

from lwam_mm.runtime.errors import SettingError


@dataclass(frozen=True)
class FrameSettings:
    """Limits of the frame's judgement; most are relative to the build's own first frames.

    Attributes:
        first_frames: So many usable frames, the first of the build, are what others are compared
            with.
        size: (width, height) that every frame must have, px; None: that of the first.
        more_dark: Share of the pixels that may be black (at most 8 of 255) beyond that of the first
            frames, 0..1.
        more_bright: Share of the pixels that may be saturated (at least 250 of 255) beyond that of
            the first frames, 0..1.
        brightness: The mean may be smaller or larger by this factor, above 1.
        sharpness: Least sharpness as a share of that of the first frames, 0..1.
        odd_level: A block of 1/32 of the frame's sides is odd if its mean differs by this share of
            the frame's mean from the block's median over the last frames.
        odd_share: Share of the blocks that may be odd, 0..1: more is a laser, a hand, a recoater.
        shift_px: How far the view may have moved, px of the frame.
        drift: Smallest contrast and brightness, averaged over some 20 frames, as a share of that of
            the first ones, 0..1; below, the window wants cleaning.
    """

    first_frames: int = 5
    size: tuple[int, int] | None = None
    more_dark: float = 0.2
    more_bright: float = 0.05
    brightness: float = 1.5
    sharpness: float = 0.6
    odd_level: float = 0.4
    odd_share: float = 0.05
    shift_px: float = 5.0
    drift: float = 0.75

    # For pydantic, which reads configs: a name that does not exist is an error.
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  dataclasses ignore it

    def __post_init__(self) -> None:
        for name in ("more_dark", "more_bright", "sharpness", "odd_share", "drift"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"{name} is {getattr(self, name)}: give a share of 0 to 1")
        if not self.brightness > 1:
            raise SettingError(f"brightness is {self.brightness}: give a factor above 1")
        for name in ("first_frames", "odd_level", "shift_px"):
            if not getattr(self, name) > 0:
                raise SettingError(f"{name} is {getattr(self, name)}: give more than 0")
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise SettingError(f"size is {self.size}: give width and height in px, or leave it out")
