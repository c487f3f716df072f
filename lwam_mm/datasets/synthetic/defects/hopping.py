"""Recoater hopping: the blade hits a part and chatters over the powder behind it."""

import numpy as np

from lwam_mm.datasets.synthetic.noise import smooth_noise
from lwam_mm.datasets.synthetic.scene import HOPPING, Canvas, Lifetime, Part, Scene, smoothstep

RIPPLE_CONTRAST = (0.03, 0.06)
RIDGE_CONTRAST = (0.025, 0.04)
MARK_CONTRAST = (0.05, 0.09)
WIDTH = (3.0, 5.0)
_NARROWEST = 2.0


def draw(canvas: Canvas, scene: Scene, shape_rng: np.random.Generator, lifetime: Lifetime) -> None:
    """Draw ripples, full-width ridges, or short marks behind part ends."""
    size = scene.size
    mode = str(shape_rng.choice(["ripples", "ridges", "marks"], p=[0.6, 0.2, 0.2]))
    # The blade hits the same part again, though not at exactly the same pixel.
    shift = lifetime.rng.normal(0, scene.px(3))
    if mode == "ridges":
        _, top, _, bottom = scene.inset
        middle = (size + top - bottom) / 2
        for _ in range(int(shape_rng.integers(1, 4))):
            x = shape_rng.uniform(0.15, 0.85) * size + shift
            _line(canvas, scene, shape_rng, x, middle, size, RIDGE_CONTRAST, bow=scene.px(4))
        return
    hit = shape_rng.permutation(len(scene.parts))
    if mode == "ripples":
        for index in hit[: shape_rng.integers(1, 4)]:
            _ripples(canvas, scene, shape_rng, scene.parts[index], shift)
        return
    for index in hit[: shape_rng.integers(4, 9)]:
        part = scene.parts[index]
        x = part.x + part.half_x + scene.px(shape_rng.uniform(3, 9), 2) + shift
        length = max(2 * part.half_y * shape_rng.uniform(0.8, 1.6), scene.px(28, 10))
        bow = scene.px(shape_rng.uniform(-5, 5))
        _line(canvas, scene, shape_rng, x, part.y, length, MARK_CONTRAST, bow)


def _ripples(
    canvas: Canvas, scene: Scene, rng: np.random.Generator, part: Part, shift: float
) -> None:
    """Draw the lines of a chattering blade, which fade with the distance from the part."""
    pitch = scene.px(rng.uniform(14, 26), 6)
    length = scene.px(rng.uniform(60, 220), 16)
    x = part.x + part.half_x + scene.px(6, 2) + shift
    if x + 2 * pitch > scene.size - scene.inset[2]:
        x = part.x - part.half_x - 4 * pitch
    for index in range(int(rng.integers(3, 8))):
        high = RIPPLE_CONTRAST[1] - index * (RIPPLE_CONTRAST[1] - RIPPLE_CONTRAST[0]) / 8
        y = part.y + scene.px(rng.normal(0, 4))
        reach = length * rng.uniform(0.8, 1.1)
        _line(canvas, scene, rng, x, y, reach, (RIPPLE_CONTRAST[0], high), bow=scene.px(3))
        x += pitch * rng.uniform(0.9, 1.15)


def _line(
    canvas: Canvas,
    scene: Scene,
    rng: np.random.Generator,
    x: float,
    y: float,
    length: float,
    contrast: tuple[float, float],
    bow: float,
) -> None:
    """Draw one line across the recoating direction, with a dark and a light edge."""
    size = scene.size
    width = scene.px(rng.uniform(*WIDTH), _NARROWEST)
    change = -rng.uniform(*contrast)
    top, bottom = max(0, round(y - length / 2)), min(size, round(y + length / 2))
    reach = int(width + abs(bow) + scene.px(8, 3))
    left, right = max(0, int(x) - reach), min(size, int(x) + reach + 1)
    waver = smooth_noise(rng, (4096, 1), 0, 150)[:, 0]
    if bottom - top < 2 or right - left < 2:
        return
    rows = np.linspace(-1, 1, bottom - top, dtype=np.float32)
    middle = x + bow * (rows**2 - 0.4)
    stations = np.linspace(0, 4095, bottom - top).astype(int)
    middle += scene.px(1.2) * waver[stations if length < size else stations[::-1]]
    columns = np.arange(left, right, dtype=np.float32)[None, :]
    # -1 at the line's upstream edge, 1 at its downstream edge.
    t = 2 * (columns - middle[:, None].round()) / width + (1 / width if width < 3 else 0)
    inside = np.abs(t) <= 1
    if not inside.any():
        return
    ends = 0.35 + 0.65 * smoothstep(4 * (1 - np.abs(rows)))[:, None]
    dark = inside * ends * (1 - 0.4 * t)
    dark *= change / dark[inside].mean()
    light = np.where((t > 1) & (t < 2.6), -0.6 * change, 0) * ends
    window = (slice(top, bottom), slice(left, right))
    canvas.paint(window, inside, (dark + light).astype(np.float32), HOPPING)
