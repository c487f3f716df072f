"""Lattice: the fine regular grid of a lattice part's fused struts shows through the powder."""

import numpy as np

from lwam_mm.datasets.synthetic.noise import smooth_noise
from lwam_mm.datasets.synthetic.scene import LATTICE, Canvas, Lifetime, Scene, smoothstep

STRUT_CONTRAST = (0.45, 0.8)
_GAP_CONTRAST = -0.06
_STRUT_SIGMA = 0.15


def draw(canvas: Canvas, scene: Scene, shape_rng: np.random.Generator, lifetime: Lifetime) -> None:
    """Draw one or two lattice parts; the label is the part's outline, gaps included."""
    chosen = shape_rng.permutation(len(scene.lattices))[: shape_rng.integers(1, 3)]
    diagonal = shape_rng.random() < 0.4
    contrast = shape_rng.uniform(*STRUT_CONTRAST)
    pitch = scene.px(shape_rng.uniform(5.0, 7.0), 4.0)
    strut = scene.px(2.2, 2.0)
    for index in chosen:
        part = scene.lattices[index]
        window, away = part.distance(scene.size, margin=2)
        y, x = part.offsets(window)
        if diagonal:
            x, y = (x + y) / np.float32(np.sqrt(2)), (x - y) / np.float32(np.sqrt(2))
        # A unit cell's cross-section moves with the height of the layer.
        slide = 0.06 * pitch * lifetime.age
        nearest = np.minimum(
            np.abs((x + slide + pitch / 2) % pitch - pitch / 2),
            np.abs((y + pitch / 2) % pitch - pitch / 2),
        )
        fused = smoothstep(0.5 + (strut / 2 - nearest) / 1.2)
        uneven = smooth_noise(lifetime.rng, away.shape, 1.0, 1.0)
        level = 1 + _GAP_CONTRAST + fused * (contrast - _GAP_CONTRAST + _STRUT_SIGMA * uneven)
        alpha = (away <= 0).astype(np.float32)
        canvas.replace(window, alpha, level.astype(np.float32), LATTICE)
