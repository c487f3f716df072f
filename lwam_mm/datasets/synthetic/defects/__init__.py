"""The defects: a function ``draw(canvas, scene, shape_rng, lifetime)`` in each module.

``shape_rng`` draws what stays the same over a defect's layers, ``lifetime.rng`` the rest.
"""

from collections.abc import Callable

from lwam_mm.datasets.synthetic.defects import (
    hopping,
    incomplete_spreading,
    lattice,
    streaking,
    super_elevation,
)
from lwam_mm.datasets.synthetic.scene import HOPPING, INCOMPLETE, LATTICE, STREAKING, SUPER

DRAW: dict[int, Callable[..., None]] = {
    INCOMPLETE: incomplete_spreading.draw,
    STREAKING: streaking.draw,
    HOPPING: hopping.draw,
    SUPER: super_elevation.draw,
    LATTICE: lattice.draw,
}
"""Drawing functions by class index, in the order of drawing: powder first, then metal on it."""
