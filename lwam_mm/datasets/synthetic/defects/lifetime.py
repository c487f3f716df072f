"""How far a defect has developed in a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lifetime:
    """The state, in one layer, of a defect that lasts for several.

    Attributes:
        layer: Number of the layer within the build.
        age: Number of earlier layers that show the defect.
        duration: Number of layers that show it.
        rng: Draws what is new in this layer.
    """

    layer: int
    age: int
    duration: int
    rng: np.random.Generator

    @property
    def progress(self) -> float:
        """How far the defect has developed, above 0; 1 in its last layer."""
        return (self.age + 1) / self.duration
