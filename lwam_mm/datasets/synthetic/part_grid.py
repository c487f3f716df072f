"""The part layout of a build: a regular grid on the powder bed."""

import numpy as np

from lwam_mm.datasets.synthetic.noise import generator
from lwam_mm.datasets.synthetic.printer import Printer, bed_inset
from lwam_mm.datasets.synthetic.scene import REFERENCE_SIZE, Part, Scene

# Half extents in px of a 1024 px frame; about 4 px are 1 mm.
_SHAPES = (
    ("block", (17, 26), (17, 26)),
    ("block", (30, 55), (6, 10)),
    ("block", (6, 10), (30, 55)),
    ("disc", (18, 26), (18, 26)),
    ("ring", (22, 30), (22, 30)),
)
_LATTICE_HALF = (8.5, 11.0)
_SMALLEST_HALF = 2.5
# A lattice keeps three struts and the gaps between them, even in small frames.
_SMALLEST_LATTICE_HALF = 6.0


def sample_scene(key: tuple[int, ...], printer: Printer, size: int) -> Scene:
    """Sample a build's part layout, the same for every frame size."""
    rng = generator(*key)
    scale = size / REFERENCE_SIZE
    columns, rows = int(rng.integers(4, 7)), int(rng.integers(3, 6))
    left, top, right, bottom = (inset / size for inset in bed_inset(printer, size))
    margin = rng.uniform(0.1, 0.16)
    xs = np.linspace(left + margin, 1 - right - margin, columns)
    ys = np.linspace(top + margin, 1 - bottom - margin, rows)
    # Staggered rows, as a build processor nests them against the recoater.
    stagger = rng.uniform(0.0, 0.04) / columns

    names = rng.choice(len(_SHAPES), size=int(rng.integers(1, 3)), replace=False)
    shapes = []
    for name in names:
        shape, (low_x, high_x), (low_y, high_y) = _SHAPES[name]
        half_x = max(rng.uniform(low_x, high_x) * scale, _SMALLEST_HALF)
        half_y = max(rng.uniform(low_y, high_y) * scale, _SMALLEST_HALF)
        if shape != "block":
            half_x = half_y = max(half_x, _SMALLEST_HALF + 1)
        shapes.append((shape, half_x, half_y))

    sites = [(x + stagger * r, y, r) for r, y in enumerate(ys) for x in xs]
    reserved = set(rng.choice(len(sites), size=3, replace=False).tolist())
    parts, lattices = [], []
    for index, (x, y, row) in enumerate(sites):
        if index in reserved:
            half = max(rng.uniform(*_LATTICE_HALF) * scale, _SMALLEST_LATTICE_HALF)
            lattices.append(Part(x * size, y * size, half, half, "block"))
        else:
            shape, half_x, half_y = shapes[row % len(shapes)]
            parts.append(Part(x * size, y * size, half_x, half_y, shape))
    return Scene(
        size, (left * size, top * size, right * size, bottom * size), (*parts,), (*lattices,)
    )
