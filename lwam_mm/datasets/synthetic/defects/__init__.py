"""The defects, one module each.

Every module has a function ``draw(canvas, scene, shape_rng, lifetime)``. It draws the defect on the
canvas, in place. ``scene`` is the geometry of the build; ``shape_rng`` draws what stays the same
over the layers of the defect, ``lifetime.rng`` what is new in each.
"""

from collections.abc import Callable

import numpy as np

from lwam_mm.datasets.synthetic.defects import (
    hopping,
    incomplete_spreading,
    lattice,
    streaking,
    super_elevation,
)
from lwam_mm.datasets.synthetic.scene import (
    HOPPING,
    INCOMPLETE,
    LATTICE,
    STREAKING,
    SUPER,
    Canvas,
    Lifetime,
    Scene,
)

DRAW: dict[int, Callable[[Canvas, Scene, np.random.Generator, Lifetime], None]] = {
    INCOMPLETE: incomplete_spreading.draw,
    STREAKING: streaking.draw,
    HOPPING: hopping.draw,
    SUPER: super_elevation.draw,
    LATTICE: lattice.draw,
}
"""Drawing functions by class index, in the order of drawing: powder first, then metal on it."""
