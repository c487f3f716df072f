"""The defects, one module each; every module's `draw` changes a canvas in place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lwam_mm.datasets.synthetic.defects import (
    hopping,
    incomplete_spreading,
    lattice,
    streaking,
    super_elevation,
)
from lwam_mm.datasets.synthetic.defects.lifetime import Moment
from lwam_mm.datasets.synthetic.scene import (
    HOPPING,
    INCOMPLETE,
    LATTICE,
    STREAKING,
    SUPER,
    Canvas,
    Scene,
)

DRAW: dict[int, Callable[[Canvas, Scene, np.random.Generator, Moment], None]] = {
    INCOMPLETE: incomplete_spreading.draw,
    STREAKING: streaking.draw,
    HOPPING: hopping.draw,
    SUPER: super_elevation.draw,
    LATTICE: lattice.draw,
}
"""Class index to drawing function, in the order of drawing: powder first, metal on top of it."""

__all__ = ["DRAW", "Moment"]
