"""What defects are drawn on: class indices, scale, part layout, canvas."""

from __future__ import annotations

from dataclasses import dataclass

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
    """A part's cross-section."""

    x: float  # centre along the recoating direction, px of the drawn frame
    y: float  # centre across it, px
    half_x: float  # half the extent along the recoating direction, px
    half_y: float  # half the extent across it, px
    shape: str  # "block", "disc" or "ring"

    def distance(self, size: int, margin: float) -> tuple[tuple[slice, slice], np.ndarray]:
        """Return a window around the part, and each pixel's signed distance to its outline.

        The distances are float32, in px, negative inside; the window (rows, columns) reaches
        ``margin`` px beyond the part.
        """
        window = tuple(
            slice(
                max(0, int(centre - half - margin)),
                min(size, int(np.ceil(centre + half + margin)) + 1),
            )
            for centre, half in ((self.y, self.half_y), (self.x, self.half_x))
        )
        dy, dx = self.offsets(window)
        if self.shape == "block":
            return window, np.maximum(np.abs(dx) - self.half_x, np.abs(dy) - self.half_y)
        radius = min(self.half_x, self.half_y)
        away = np.hypot(dx, dy) - radius
        if self.shape == "ring":
            away = np.maximum(away, 0.45 * radius - np.hypot(dx, dy))
        return window, away

    def offsets(self, window: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """Return the window's rows (h, 1) and columns (1, w) counted from the centre, float32."""
        rows, columns = (np.arange(s.start, s.stop, dtype=np.float32) for s in window)
        return rows[:, None] - self.y, columns[None, :] - self.x


@dataclass(frozen=True)
class Scene:
    """The geometry that all layers of a build share.

    Layers are drawn with the recoater moving along +x; the finished frames of a printer whose
    recoater moves the other way are mirrored.
    """

    size: int  # frame height and width, px
    # Powder bed's distance from the frame's (left, top, right, bottom), px.
    inset: tuple[float, ...]
    parts: tuple[Part, ...]  # the solid parts, in a regular grid
    lattices: tuple[Part, ...]  # the lattice parts, on sites of the same grid

    def px(self, length: float, at_least: float = 0.0) -> float:
        """Convert px of a 1024 px frame into px of this one, not below ``at_least``."""
        return max(length * self.size / REFERENCE_SIZE, at_least)


@dataclass(frozen=True)
class Lifetime:
    """The state, in one layer, of a defect that lasts for several."""

    layer: int  # number of the layer within the build
    age: int  # number of earlier layers that show the defect
    duration: int  # number of layers that show it
    rng: np.random.Generator  # draws what is new in this layer


class Canvas:
    """A layer being drawn: the grey level over that of undisturbed powder, and the labels."""

    def __init__(self, size: int) -> None:
        self.factor = np.ones((size, size), np.float32)
        self.mask = np.zeros((size, size), np.uint8)

    def transposed(self) -> Canvas:
        """Return a view with rows and columns exchanged: what is drawn there shows here."""
        turned = Canvas(0)
        turned.factor, turned.mask = self.factor.T, self.mask.T
        return turned

    def shade(self, window: tuple[slice, slice], change: np.ndarray) -> None:
        """Multiply the grey level by 1 + change where powder lies."""
        powder = self.mask[window] == BACKGROUND
        self.factor[window] *= np.where(powder, 1 + change, 1)

    def paint(
        self, window: tuple[slice, slice], inside: np.ndarray, change: np.ndarray, label: int
    ) -> None:
        """Shade powder, and label the part of it that is ``inside``."""
        inside = inside & (self.mask[window] == BACKGROUND)
        self.shade(window, change)
        self.mask[window][inside] = label

    def replace(
        self, window: tuple[slice, slice], alpha: np.ndarray, level: np.ndarray, label: int
    ) -> None:
        """Cover powder and labels with fused metal of this opacity; from 0.5 on it is labelled."""
        factor = self.factor[window]
        self.factor[window] = factor + alpha * (level - factor)
        self.mask[window][alpha >= 0.5] = label
