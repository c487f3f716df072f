"""Defects as they look from afar: thin streaks, small holes, rippled areas, glowing slivers.

They are labelled as people do: a band around a thin line, a blob around a hole, the whole of a
rippled area.
"""

from __future__ import annotations

import cv2
import numpy as np

from lwam_mm.datasets.synthetic.noise import smooth_noise
from lwam_mm.datasets.synthetic.scene import (
    HOPPING,
    INCOMPLETE,
    STREAKING,
    SUPER,
    Canvas,
    Scene,
    smoothstep,
)

_LABEL_MARGIN = 2.5  # px that people add around a thin defect


def draw_thin_streaks(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Draw one to four thin lines, nearly along the recoating direction, some in pairs."""
    for _ in range(int(rng.integers(1, 5))):
        contrast = -rng.choice([rng.uniform(0.015, 0.04), rng.uniform(0.04, 0.14)])
        length = scene.size * rng.uniform(0.08, 1.0)
        start_x = rng.uniform(0, scene.size - length)
        start_y = rng.uniform(0.04, 0.96) * scene.size
        slope = rng.normal(0, 0.012)
        width = max(scene.px(rng.uniform(0.8, 4.0)), 0.8)
        for offset in (0.0, scene.px(rng.uniform(5, 9), 3))[: int(rng.integers(1, 3))]:
            _line(
                canvas, rng, (start_x, start_y + offset), length, slope, width, contrast, STREAKING
            )


def draw_scratches(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Draw one to four hair lines along the recoating direction, about a pixel wide."""
    for _ in range(int(rng.integers(1, 5))):
        length = scene.px(np.exp(rng.uniform(np.log(40), np.log(500))))
        start = (rng.uniform(0, scene.size - length), rng.uniform(0.04, 0.96) * scene.size)
        contrast = -rng.choice([rng.uniform(0.025, 0.06), rng.uniform(0.05, 0.16)])
        width = rng.uniform(0.8, 2.2)
        _line(canvas, rng, start, length, rng.normal(0, 0.015), width, contrast, STREAKING)


def _line(
    canvas: Canvas,
    rng: np.random.Generator,
    start: tuple[float, float],
    length: float,
    slope: float,
    width: float,
    contrast: float,
    label: int,
) -> None:
    size = len(canvas.mask)
    reach = int(abs(slope) * length + 2 * width + 2 * _LABEL_MARGIN + 4)
    left, right = max(0, round(start[0])), min(size, round(start[0] + length))
    top, bottom = max(0, round(start[1]) - reach), min(size, round(start[1]) + reach)
    if right - left < 4 or bottom - top < 4:
        return
    x = np.arange(left, right, dtype=np.float32)[None, :]
    y = np.arange(top, bottom, dtype=np.float32)[:, None]
    away = np.abs(y - start[1] - slope * (x - left))
    profile = np.exp(-0.5 * (away / (0.5 * width)) ** 2)
    along = 1 + 0.3 * smooth_noise(rng, (1, right - left), 25, 0)
    ends = smoothstep((x - left) / 20) * smoothstep((right - x) / 20)
    window = (slice(top, bottom), slice(left, right))
    inside = np.broadcast_to(away <= width / 2 + _LABEL_MARGIN, profile.shape)
    canvas.paint(window, inside, (contrast * profile * along * ends).astype(np.float32), label)


def draw_holes(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Draw one to eight spots without powder: a dark core among bright and dark grains."""
    for _ in range(int(rng.integers(1, 9))):
        core = max(scene.px(rng.uniform(1.5, 7)), 1.2)
        reach = core * rng.uniform(1.5, 4.5)
        window, away, y, x = _around(scene, rng, reach + _LABEL_MARGIN + 3)
        stretch = rng.uniform(0.7, 1.6)
        away = np.hypot(x * stretch, y / stretch)
        wobble = 1 + 0.35 * smooth_noise(rng, away.shape, 2.5, 2.5)
        change = -rng.uniform(0.15, 0.6) * smoothstep(1.5 - away * wobble / core)
        grains = smooth_noise(rng, away.shape, 0.7, 0.7)
        scattered = np.where(np.abs(grains) > 1.3, grains, 0) * smoothstep(1.3 - away / reach)
        change = change + rng.uniform(0.03, 0.22) * scattered
        canvas.paint(
            window,
            away * wobble <= 0.8 * reach + _LABEL_MARGIN,
            np.clip(change, -0.8, 1.0).astype(np.float32),
            INCOMPLETE,
        )


def draw_dents(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Draw one to six smooth dents, round or long, with a dark core and often one bright flank."""
    for _ in range(int(rng.integers(1, 7))):
        half_width = max(scene.px(np.exp(rng.uniform(np.log(0.8), np.log(4.5)))), 0.8)
        half_length = half_width * rng.choice([rng.uniform(1, 1.5), rng.uniform(1.5, 4)])
        margin = scene.px(rng.uniform(3, 8), 2)
        window, _, y, x = _around(scene, rng, 1.5 * half_length + margin + 3)
        angle = rng.normal(0, 0.5)  # mostly across the recoating direction
        u = np.cos(angle) * y + np.sin(angle) * x
        v = np.cos(angle) * x - np.sin(angle) * y
        v = v + rng.normal(0, 0.15) * half_length * np.clip(u / half_length, -1.2, 1.2) ** 2
        wobble = 1 + 0.15 * smooth_noise(rng, u.shape, 2, 2)
        away = np.hypot(u / half_length, v / half_width) * wobble
        change = -rng.uniform(0.08, 0.45) * np.exp(-0.7 * away**2)
        if rng.random() < 0.6:  # light from one side
            side = rng.choice([-1, 1])
            shifted = np.hypot(u / half_length, v / half_width + side * rng.uniform(1.5, 2.5))
            change = change + rng.uniform(0.03, 0.2) * np.exp(-0.7 * shifted**2)
        inside = np.hypot(u / (half_length + margin), v / (half_width + margin)) <= 1
        canvas.paint(window, inside, change.astype(np.float32), INCOMPLETE)


def draw_rippled_area(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Draw one or two areas of ripples across the recoating direction, or two lone ridges."""
    size = scene.size
    for _ in range(int(rng.integers(1, 3))):
        pitch = scene.px(rng.uniform(7, 22), 4)
        lone = rng.random() < 0.1
        width = 1.6 * pitch if lone else pitch * rng.uniform(3, 12)
        height = size * rng.uniform(0.1, 0.95)
        left, top = rng.uniform(0, size - width), rng.uniform(0, size - height)
        rows = slice(int(top), min(size, int(top + height) + 1))
        columns = slice(int(left), min(size, int(left + width) + 1))
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - top
        x = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - left
        lean = rng.normal(0, 0.03) * y
        waver = scene.px(1.5) * smooth_noise(rng, (len(y), 1), 0, scene.px(40, 4))
        phase = 2 * np.pi * (x + lean + waver) / pitch
        ripples = np.sin(phase) + 0.3 * np.sin(2 * phase + 1)
        strength = rng.uniform(0.015, 0.05) if lone else rng.uniform(0.02, 0.1)
        fading = 1 - rng.uniform(0, 0.7) * (x / width if rng.random() < 0.5 else 1 - x / width)
        ends = smoothstep(y / 15) * smoothstep((height - y) / 15)
        change = (strength * ripples * fading * ends).astype(np.float32)
        canvas.paint((rows, columns), np.ones(change.shape, bool), change, HOPPING)


def draw_ridges(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Draw one or two groups of lone ridges that lean, where the recoater hops once."""
    turned = canvas.transposed()
    for _ in range(int(rng.integers(1, 3))):
        length = scene.size * rng.uniform(0.15, 0.95)
        place = rng.uniform(0.04, 0.96) * scene.size
        start = rng.uniform(0, scene.size - length)
        contrast = rng.choice([-1, 1]) * rng.uniform(0.02, 0.08)
        slope, width = rng.normal(0, 0.06), scene.px(rng.uniform(1.5, 6), 1)
        pitch = scene.px(rng.uniform(7, 22), 4)
        for number in range(int(rng.integers(1, 4))):
            at = (start, place + number * pitch)
            _line(turned, rng, at, length, slope, width, contrast, HOPPING)


def draw_glow(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Draw one to five slivers and bars of bright metal, up to glowing."""
    for _ in range(int(rng.integers(1, 6))):
        half_length = scene.px(rng.uniform(6, 60), 3)
        half_width = min(half_length, max(scene.px(rng.uniform(1, 9)), 1.0))
        window, _, y, x = _around(scene, rng, half_length + 6)
        angle = rng.choice([0.0, rng.uniform(0, np.pi)])
        u = np.cos(angle) * x + np.sin(angle) * y
        v = -np.sin(angle) * x + np.cos(angle) * y
        wobble = 1 + 0.25 * smooth_noise(rng, u.shape, 4, 4)
        away = np.maximum(np.abs(u) - half_length, np.abs(v) * wobble - half_width)
        alpha = smoothstep(0.5 - away / 1.5)
        glow = rng.uniform(0.15, 0.5) * np.exp(-np.maximum(away, 0) / scene.px(8, 2))
        canvas.shade(window, (glow * (1 - alpha) * (rng.random() < 0.5)).astype(np.float32))
        texture = 1 + 0.25 * smooth_noise(rng, u.shape, 1.5, 1.5)
        level = (1 + rng.uniform(0.3, 1.8) * texture).astype(np.float32)
        canvas.replace(window, alpha.astype(np.float32), level, SUPER)


def draw_slivers(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Draw one to six edges of parts that just reach through the powder: bright, a few px wide."""
    for _ in range(int(rng.integers(1, 7))):
        half_length = scene.px(np.exp(rng.uniform(np.log(3), np.log(25))), 2)
        half_width = max(scene.px(rng.uniform(0.6, 2.5)), 0.7)
        margin = scene.px(rng.uniform(2, 6), 1.5)
        window, _, y, x = _around(scene, rng, half_length + margin + 6)
        angle = rng.uniform(0, np.pi)
        u = np.cos(angle) * x + np.sin(angle) * y
        v = np.cos(angle) * y - np.sin(angle) * x
        along = 1 + 0.3 * smooth_noise(rng, u.shape, 2, 2)
        profile = np.exp(-((u / half_length) ** 4) - 0.7 * (v / half_width) ** 2)
        change = rng.uniform(0.06, 0.7) * profile * along
        shadow = np.exp(-((u / half_length) ** 4) - 0.7 * (np.abs(v) / half_width - 2.5) ** 2)
        change = change - rng.uniform(0, 0.08) * shadow
        inside = np.hypot(u / (half_length + margin), v / (half_width + margin)) <= 1
        canvas.paint(window, inside, change.astype(np.float32), SUPER)


def _around(
    scene: Scene, rng: np.random.Generator, reach: float
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray, np.ndarray]:
    """Return a window at a random place, and distances, rows and columns from its centre, px."""
    size = scene.size
    x, y = rng.uniform(0.03, 0.97, 2) * size
    rows = slice(max(0, int(y - reach)), min(size, int(y + reach) + 2))
    columns = slice(max(0, int(x - reach)), min(size, int(x + reach) + 2))
    dy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - y
    dx = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - x
    dy, dx = np.broadcast_arrays(dy, dx)
    return (rows, columns), cv2.magnitude(dx.copy(), dy.copy()), dy, dx


DRAW_FINE = {
    STREAKING: draw_thin_streaks,
    INCOMPLETE: draw_holes,
    HOPPING: draw_rippled_area,
    SUPER: draw_glow,
}
"""What is drawn on drawn layers, by class index, in the order of drawing: metal lies on powder."""

DRAW_ON_FRAMES = (
    (STREAKING, draw_thin_streaks),
    (STREAKING, draw_scratches),
    (INCOMPLETE, draw_holes),
    (INCOMPLETE, draw_dents),
    (HOPPING, draw_rippled_area),
    (HOPPING, draw_ridges),
    (SUPER, draw_slivers),
    (SUPER, draw_glow),
)
"""What is drawn on real frames: class index and function, in the order of drawing."""
