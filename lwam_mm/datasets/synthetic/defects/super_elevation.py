"""Super-elevation: a part's surface or edge rises above the powder and shows through it."""

import cv2
import numpy as np

from lwam_mm.datasets.synthetic.noise import smooth_noise, standardize
from lwam_mm.datasets.synthetic.scene import SUPER, Canvas, Lifetime, Part, Scene, smoothstep

BRIGHT_CONTRAST = (0.50, 0.79)
DARK_CONTRAST = (-0.45, -0.25)
METAL_SIGMA = 0.27
_DARK_SIGMA = 0.12
_PART_JITTER = 0.03
_DARK_SHARE = 0.12
# Printers rotate the scan direction by this angle every layer, against residual stress.
_SCAN_TURN = np.deg2rad(67.0)


def _metal_texture(
    rng: np.random.Generator, shape: tuple[int, int], scene: Scene, angle: float
) -> np.ndarray:
    """Draw fused metal: melt tracks of uneven brightness, spatter, dull and bright patches."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    pitch = scene.px(4.5, 2.6)
    wobble = 0.9 * smooth_noise(rng, shape, scene.px(9, 1.5), scene.px(9, 1.5))
    phase = 2 * np.pi * (np.cos(angle) * x + np.sin(angle) * y) / pitch
    tracks = np.sin(phase + wobble)
    patches = smooth_noise(rng, shape, scene.px(7, 1.5), scene.px(7, 1.5))
    glints = smooth_noise(rng, shape, scene.px(1.2, 0.7), scene.px(1.2, 0.7))
    return 0.45 * tracks * (1 + 0.5 * patches) + 0.6 * patches + 0.75 * glints


def _cover(
    rng: np.random.Generator, mode: str, part: Part, away: np.ndarray, scene: Scene, growth: float
) -> np.ndarray:
    """Return the share of each pixel that is bare metal, 0..1, for one part."""
    shape = away.shape
    surface = smoothstep(0.5 - away / 1.5)
    broad = smooth_noise(rng, shape, scene.px(5, 1.0), scene.px(3.5, 1.0))
    patchy = 0.85 * broad + 0.5 * smooth_noise(rng, shape, scene.px(1.2, 0.6), scene.px(1.2, 0.6))
    if mode == "surface":
        # At first powder sticks to some of it: the threshold falls as the part rises.
        return surface * smoothstep(1.5 * (patchy + 0.6 + 2.0 * growth))
    if mode == "speckle":
        return surface * smoothstep(2.0 * (patchy - 0.35 + 0.8 * growth) + 0.5)
    # The edge that faces the blade rises first.
    thickness = scene.px(5 + 7 * growth, 2.6)
    if part.half_x > 2 * part.half_y:
        depth = thickness - (away + part.half_y)
        depth = np.broadcast_to(depth, shape)
    else:
        x = np.arange(shape[1], dtype=np.float32)[None, :]
        depth = thickness - (x - (np.where(away <= 0, x, np.inf)).min(axis=1, keepdims=True))
    return surface * smoothstep(0.5 + (depth + scene.px(1.5) * patchy) / 1.5)


def _tidy(alpha: np.ndarray) -> np.ndarray:
    """Remove specks of one or two pixels, which nobody would outline."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha >= 0.5).astype(np.uint8))
    keep = stats[:, cv2.CC_STAT_AREA] >= 3
    keep[0] = True
    return np.where(keep[labels], alpha, 0) if count > 1 else alpha


def draw(canvas: Canvas, scene: Scene, shape_rng: np.random.Generator, lifetime: Lifetime) -> None:
    """Draw some parts of the grid that rise above the powder."""
    mode = str(shape_rng.choice(["surface", "edge", "speckle"], p=[0.45, 0.35, 0.2]))
    dark = shape_rng.random() < _DARK_SHARE
    low, high = DARK_CONTRAST if dark else BRIGHT_CONTRAST
    centre = shape_rng.uniform(low + _PART_JITTER, high - _PART_JITTER)
    count = min(len(scene.parts), int(shape_rng.integers(5, 13)))
    # Neighbours rise together: they share a load case and a position in the gas flow.
    corner = scene.parts[int(shape_rng.integers(len(scene.parts)))]
    near = sorted(scene.parts, key=lambda p: np.hypot(p.x - corner.x, p.y - corner.y))
    growth = 0.4 + 0.6 * ((lifetime.age + 1) / lifetime.duration)
    angle = lifetime.layer * _SCAN_TURN
    for part in near[:count]:
        window, away = part.distance(scene.size, margin=scene.px(6, 2))
        contrast = centre + shape_rng.uniform(-_PART_JITTER, _PART_JITTER)
        alpha = _tidy(_cover(shape_rng, mode, part, away, scene, growth))
        texture = _metal_texture(lifetime.rng, away.shape, scene, angle)
        inside = alpha >= 0.5
        if not inside.any():
            continue
        # Powder is thinner around raised metal.
        rim = smoothstep(1 - np.abs(away) / scene.px(5, 1.5)) * (1 - alpha)
        canvas.shade(window, -0.05 * rim)
        change = alpha * contrast
        sigma = _DARK_SIGMA if dark else METAL_SIGMA
        change[inside] = contrast + sigma * standardize((alpha * (1 + 0.6 * texture))[inside])
        level = np.clip(1 + np.divide(change, alpha, where=alpha > 0, out=change), 0.2, None)
        canvas.replace(window, alpha, level, SUPER)
