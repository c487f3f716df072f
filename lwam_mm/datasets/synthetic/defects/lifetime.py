"""Where in a defect's life a layer lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moment:
    """One layer of a defect that lasts for several.

    Attributes:
        layer: Number of the layer within the build.
        age: How many layers the defect has lasted before this one.
        duration: How many layers it lasts.
        rng: Draws what is new in this layer.
    """

    layer: int
    age: int
    duration: int
    rng: np.random.Generator

    @property
    def progress(self) -> float:
        """How far the defect has developed: above 0, and 1 in its last layer."""
        return (self.age + 1) / self.duration
