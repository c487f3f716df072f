"""Recoater streaking: a nicked blade or a dragged particle ploughs straight lines."""

import numpy as np

from lwam_mm.datasets.synthetic.noise import smooth_noise
from lwam_mm.datasets.synthetic.scene import STREAKING, Canvas, Lifetime, Scene, smoothstep

WIDTH = (3.0, 16.0)
LENGTH = (0.5, 1.0)
DARK_CONTRAST = (0.046, 0.10)
FAINT_CONTRAST = (0.01, 0.02)
_BRIGHT_CONTRAST = (0.03, 0.06)
_FAINT_SHARE, _BRIGHT_SHARE = 0.2, 0.1


def _contrast(rng: np.random.Generator, first: bool) -> float:
    """Draw the mean relative change of grey level; the first streak of a set is never faint."""
    kind = rng.random()
    # Skewed towards low contrast: the median is 5.4 %.
    dark = -(DARK_CONTRAST[0] + (DARK_CONTRAST[1] - DARK_CONTRAST[0]) * rng.beta(1, 4))
    faint, bright = -rng.uniform(*FAINT_CONTRAST), rng.uniform(*_BRIGHT_CONTRAST)
    if first or kind >= _FAINT_SHARE + _BRIGHT_SHARE:
        return dark
    return faint if kind < _FAINT_SHARE else bright


def draw(canvas: Canvas, scene: Scene, shape_rng: np.random.Generator, lifetime: Lifetime) -> None:
    """Draw one to three straight lines along the recoating direction."""
    size = scene.size
    _, top, _, bottom = scene.inset
    count = int(shape_rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))
    # One line per lane, so that lines do not merge.
    lanes = np.linspace(top + 0.05 * size, size - bottom - 0.05 * size, 9)
    for index, lane in enumerate(shape_rng.choice(8, size=count, replace=False)):
        low, high = lanes[lane], lanes[lane + 1]
        width = scene.px(shape_rng.triangular(WIDTH[0], 4.5, WIDTH[1]), 2.0)
        middle = shape_rng.uniform(low + width / 2, max(high - width / 2, low + width / 2))
        contrast = _contrast(shape_rng, first=index == 0)
        length = size * min(1.0, shape_rng.uniform(LENGTH[0], LENGTH[1] + 0.25))
        # A nick leaves a line from the blade's start; a particle, from where it was caught.
        from_start = index == 0 or shape_rng.random() < 0.5
        rim_side = shape_rng.choice([-1, 1])
        drift = scene.px(0.5) * (lifetime.age + lifetime.rng.uniform(-0.5, 0.5))
        row = round(middle + drift - width / 2)
        rows = max(2, round(width))
        start, end = (0, round(length)) if from_start else (size - round(length), size)
        _plough(canvas, scene, lifetime.rng, (row, rows, start, end), contrast, rim_side)


def _plough(
    canvas: Canvas,
    scene: Scene,
    rng: np.random.Generator,
    box: tuple[int, int, int, int],
    contrast: float,
    rim_side: int,
) -> None:
    """Draw one line into rows [row, row + rows) and columns [start, end)."""
    row, rows, start, end = box
    rim = max(1, rows // 3)
    window = (slice(row - rim, row + rows + rim), slice(start, end))
    t = (np.arange(rows + 2 * rim, dtype=np.float32) - rim + 0.5) / rows * 2 - 1
    inside = np.abs(t) < 1
    profile = np.where(inside, 1 - 0.45 * t**2, 0)
    profile /= profile[inside].mean()
    # The displaced powder lies beside the line.
    profile += np.where((np.sign(t) == rim_side) & ~inside, -0.22, 0)

    run = 1 + 0.22 * smooth_noise(rng, (1, end - start), scene.px(45, 2), 0)[0]
    taper = scene.px(60, 4)
    x = np.arange(end - start, dtype=np.float32)
    if start > 0:
        run *= 0.3 + 0.7 * smoothstep(x / taper)
    if end < scene.size:
        run *= 0.3 + 0.7 * smoothstep(x[::-1] / taper)
    run /= run.mean()
    change = (contrast * profile[:, None] * run[None, :]).astype(np.float32)
    canvas.paint(window, np.broadcast_to(inside[:, None], change.shape), change, STREAKING)
