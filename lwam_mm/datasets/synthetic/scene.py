"""What defects are drawn on: class indices, scale, part layout, canvas."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

BACKGROUND, SUPER, INCOMPLETE, HOPPING, STREAKING, LATTICE = range(6)
DEFECTS = (SUPER, INCOMPLETE, HOPPING, STREAKING, LATTICE)

REFERENCE_SIZE = 1024
"""Frame size, px, to which the lengths in this package refer; other sizes scale them."""


def smoothstep(x: np.ndarray) -> np.ndarray:
    """Map x below 0 to 0, x above 1 to 1, and values between them smoothly."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3 - 2 * x)


@dataclass(frozen=True)
class Part:
    """A part's cross-section.

    Attributes:
        x: Centre along the recoating direction, px of the drawn frame.
        y: Centre across it, px.
        half_x: Half the extent along the recoating direction, px.
        half_y: Half the extent across it, px.
        shape: "block", "disc" or "ring".
    """

    x: float
    y: float
    half_x: float
    half_y: float
    shape: str

    def distance(self, size: int, margin: float) -> tuple[tuple[slice, slice], np.ndarray]:
        """Return the signed distance to the part's outline, negative inside, px.

        Args:
            size: Frame size, px.
            margin: Width of the window's border around the part, px.

        Returns:
            The window (rows, columns) in the frame and the float32 distances in it.
        """
        window = (
            slice(
                max(0, int(self.y - self.half_y - margin)),
                min(size, int(np.ceil(self.y + self.half_y + margin)) + 1),
            ),
            slice(
                max(0, int(self.x - self.half_x - margin)),
                min(size, int(np.ceil(self.x + self.half_x + margin)) + 1),
            ),
        )
        dy = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - self.y
        dx = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - self.x
        if self.shape == "block":
            return window, np.maximum(np.abs(dx) - self.half_x, np.abs(dy) - self.half_y)
        radius = min(self.half_x, self.half_y)
        away = np.hypot(dx, dy) - radius
        if self.shape == "ring":
            away = np.maximum(away, 0.45 * radius - np.hypot(dx, dy))
        return window, away


@dataclass(frozen=True)
class Scene:
    """The geometry that all layers of a build share.

    Layers are drawn with the recoater moving along +x; the finished frames of a printer whose
    recoater moves the other way are mirrored.

    Attributes:
        size: Frame height and width, px.
        inset: Powder bed's distance from the frame's (left, top, right, bottom), px.
        parts: The solid parts, in a regular grid.
        lattices: The lattice parts, on sites of the same grid.
    """

    size: int
    inset: tuple[float, float, float, float]
    parts: tuple[Part, ...]
    lattices: tuple[Part, ...]

    def px(self, length: float, at_least: float = 0.0) -> float:
        """Convert px of a 1024 px frame into px of this one, not below ``at_least``."""
        return max(length * self.size / REFERENCE_SIZE, at_least)


@dataclass
class Canvas:
    """A layer being drawn: the defects' effect on the powder, and their labels.

    Attributes:
        size: Height and width, px.
        factor: Grey level over that of undisturbed powder, float32 (size, size).
        mask: Class index of each pixel, uint8 (size, size).
    """

    size: int
    factor: np.ndarray = field(init=False)
    mask: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.factor = np.ones((self.size, self.size), np.float32)
        self.mask = np.zeros((self.size, self.size), np.uint8)

    def shade(self, window: tuple[slice, slice], change: np.ndarray) -> None:
        """Multiply the grey level by 1 + change where powder lies."""
        powder = self.mask[window] == BACKGROUND
        self.factor[window] *= np.where(powder, 1 + change, 1)

    def paint(
        self, window: tuple[slice, slice], inside: np.ndarray, change: np.ndarray, label: int
    ) -> None:
        """Shade powder and label part of it.

        Args:
            window: Rows and columns of the frame that the arrays cover.
            inside: bool, the pixels that get the label if they still are powder.
            change: float32, relative change of the grey level.
            label: Class index.
        """
        inside = inside & (self.mask[window] == BACKGROUND)
        self.shade(window, change)
        self.mask[window][inside] = label

    def replace(
        self, window: tuple[slice, slice], alpha: np.ndarray, level: np.ndarray, label: int
    ) -> None:
        """Cover powder and labels with fused metal.

        Args:
            window: Rows and columns of the frame that the arrays cover.
            alpha: float32, opacity, 0..1; from 0.5 on the pixel gets the label.
            level: float32, grey level over that of powder.
            label: Class index.
        """
        factor = self.factor[window]
        self.factor[window] = factor + alpha * (level - factor)
        self.mask[window][alpha >= 0.5] = label
