"""Incomplete spreading: too little powder leaves the layer below bare."""

import cv2
import numpy as np

from lwam_mm.datasets.synthetic.noise import smooth_noise
from lwam_mm.datasets.synthetic.scene import INCOMPLETE, Canvas, Lifetime, Scene, smoothstep

SHORT_FEED_CONTRAST = (0.35, 0.51)
BARE_PLATE_CONTRAST = (0.31, 0.34)
_BARE_PLATE_SHARE = 0.2
# Ranges of the front's position, the bare area's length behind it and its breadth, as shares of
# the bed.
_SHORT_FEED_SIZE = ((0.12, 0.55), (0.30, 0.55), (0.22, 0.42))
_BARE_PLATE_SIZE = ((0.12, 0.18), (0.75, 0.95), (0.62, 0.78))


def draw(canvas: Canvas, scene: Scene, shape_rng: np.random.Generator, lifetime: Lifetime) -> None:
    """Draw one bare area: a sharp irregular front, a tail of dashes along recoating."""
    bare_plate = shape_rng.random() < _BARE_PLATE_SHARE
    low, high = BARE_PLATE_CONTRAST if bare_plate else SHORT_FEED_CONTRAST
    contrast = shape_rng.uniform(low, high)
    alpha = _bare(scene, shape_rng, lifetime, bare_plate)
    inside = _outline(alpha, scene)
    if not inside.any():
        return
    change = alpha * _depth(scene, shape_rng, lifetime)
    change *= contrast / change[inside].mean()
    everything = (slice(0, scene.size), slice(0, scene.size))
    canvas.paint(everything, inside, -np.minimum(change, 0.8), INCOMPLETE)


def _bare(
    scene: Scene, rng: np.random.Generator, lifetime: Lifetime, bare_plate: bool
) -> np.ndarray:
    """Return how bare each pixel is, float32 (size, size), 0..1."""
    size = scene.size
    left, top, right, bottom = scene.inset
    x = (np.arange(size, dtype=np.float32) - left) / (size - left - right)
    y = (np.arange(size, dtype=np.float32) - top) / (size - top - bottom)
    sizes = _BARE_PLATE_SIZE if bare_plate else _SHORT_FEED_SIZE
    front, reach, breadth = (rng.uniform(*limits) for limits in sizes)
    start = rng.uniform(0.0, 1 - breadth)
    # The feed recovers: the bare area gets shorter from layer to layer.
    reach *= 1 - 0.35 * lifetime.age / lifetime.duration

    # The front has scallops at three scales, the smallest of only a few pixels.
    wave = sum(
        share * smooth_noise(rng, (size, 1), 0, sigma * size)
        for share, sigma in ((0.05, 0.09), (0.012, 0.015), (0.003, 0.003))
    )
    ahead = (x[None, :] - front - wave) / 0.008
    # Each row of the tail ends at random, correlated with its neighbours.
    lag = sum(
        share * smooth_noise(rng, (size, 1), 0, sigma * size)
        for share, sigma in ((0.30, 0.05), (0.22, 0.008))
    )
    behind = (front + reach * (0.75 + lag) - x[None, :]) / (0.35 * reach)
    drift = 0.03 * smooth_noise(rng, (1, size), 0.2 * size, 0)
    flank = 0.07 * breadth + 0.03
    beside = np.minimum(y[:, None] - start - drift, start + breadth - y[:, None] + drift) / flank
    core = np.clip(np.minimum(np.minimum(ahead, behind), beside), -2.5, 1.0)

    texture = sum(
        share * smooth_noise(rng, (size, size), scene.px(sigma_x, least), scene.px(sigma_y, 0.8))
        for share, sigma_x, sigma_y, least in (
            (0.55, 90, 14, 8.0),
            (0.55, 18, 1.6, 2.5),
            (0.60, 5, 0.9, 1.5),
        )
    )
    bare = smoothstep(0.5 + 0.9 * (2.0 * core + texture - 0.35))
    # No powder is missing ahead of the front, where the blade still carries enough.
    return bare * smoothstep(0.5 + ahead / 2)


def _depth(scene: Scene, rng: np.random.Generator, lifetime: Lifetime) -> np.ndarray:
    """Return the relative darkness of bare ground: machining grooves, streaks, dull patches."""
    size = scene.size
    shape = (size, size)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    away = np.hypot(x - rng.uniform(0.2, 0.8) * size, y - rng.uniform(-1.2, -0.3) * size)
    pitch = scene.px(rng.uniform(9, 15), 3.5)
    grooves = np.sin(
        2 * np.pi * away / pitch + 2 * smooth_noise(rng, shape, 0.05 * size, 0.05 * size)
    )
    patches = smooth_noise(rng, shape, 0.06 * size, 0.04 * size)
    streaks = smooth_noise(lifetime.rng, shape, scene.px(60, 5), scene.px(1.8, 0.9))
    fine = smooth_noise(lifetime.rng, shape, 1.1, 1.1)
    depth = 1 + 0.05 * grooves + 0.14 * patches + 0.12 * streaks + 0.1 * fine
    return np.clip(depth, 0.3, 1.7)


def _outline(alpha: np.ndarray, scene: Scene) -> np.ndarray:
    """Return the area as an annotator would outline it: gaps closed, stray dashes omitted."""
    bare = (alpha >= 0.5).astype(np.uint8)
    gap = (2 * int(scene.px(5, 1)) + 1, 2 * int(scene.px(2, 1)) + 1)
    bare = cv2.morphologyEx(
        bare, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, gap)
    )
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bare)
    if count == 1:
        return bare > 0
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    # The one large area, and islands of a relevant size beside it.
    return (area >= min(area.max(), max(4.0, scene.px(1) ** 2 * 60)))[labels]
