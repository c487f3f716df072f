"""What looks like a defect and is none: it stands at its place through a build, or is spatter."""

from __future__ import annotations

import cv2
import numpy as np

from lwam_mm.datasets.synthetic.noise import smooth_noise
from lwam_mm.datasets.synthetic.scene import Scene, smoothstep

_CLEARLY_VISIBLE = 0.05  # contrast from which an outline could as well be called a defect


def standing_marks(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw what stays at its place through a build: steps, outlines, stains and reflections.

    Returns:
        The factor on the powder's grey level, float32 (size, size), and where the marks are so
        clear that a label would be a matter of opinion, bool (size, size): there it is ignored.
    """
    factor = np.ones((scene.size, scene.size), np.float32)
    for _ in range(int(rng.integers(0, 7))):
        factor *= 1 + _step(scene, rng)
    outlines = np.zeros_like(factor)
    if rng.random() < 0.6:
        outlines = _outlines(scene, rng)
        factor *= 1 + outlines
    for _ in range(int(rng.integers(0, 4))):
        factor *= 1 + _stain(scene, rng)
    for _ in range(int(rng.integers(0, 3))):
        factor *= 1 + _reflection(scene, rng)
    return factor, np.abs(cv2.blur(outlines, (5, 5))) > _CLEARLY_VISIBLE


def spatter(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a few glowing particles of one layer; factor and ignored pixels as above."""
    factor = np.ones((scene.size, scene.size), np.float32)
    y, x = np.mgrid[: scene.size, : scene.size].astype(np.float32)
    ignored = np.zeros(factor.shape, bool)
    for _ in range(int(rng.integers(1, 4))):
        away = np.hypot(x - rng.uniform(0, scene.size), y - rng.uniform(0, scene.size))
        core = scene.px(rng.uniform(1.5, 9), 1.0)
        glow = rng.uniform(0.3, 2.5) * np.exp(-0.5 * (away / core) ** 2)
        glow += rng.uniform(0.05, 0.4) * np.exp(-away / (core * rng.uniform(3, 8)))
        factor += glow
        ignored |= glow > 0.2
    return factor, ignored


def _step(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """A part of the bed that is evenly brighter or darker, made of rectangles or one polygon."""
    size = scene.size
    shape = np.zeros((size, size), np.float32)
    if rng.random() < 0.7:
        for _ in range(int(rng.integers(1, 4))):
            width, height = rng.uniform(0.05, 0.5, 2) * size
            x, y = rng.uniform(0, size - width), rng.uniform(0, size - height)
            cv2.rectangle(
                shape, (round(x), round(y)), (round(x + width), round(y + height)), 1.0, -1
            )
    else:
        centre, turns = rng.uniform(0, size, 2), np.sort(rng.uniform(0, 2 * np.pi, 6))
        radius = rng.uniform(0.1, 0.5) * size
        points = centre + radius * np.stack([np.cos(turns), np.sin(turns)], 1)
        cv2.fillPoly(shape, [points.round().astype(np.int32)], 1.0)
    shape = cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.4, 4))
    return rng.choice([-1, 1]) * rng.uniform(0.01, 0.08) * shape


def _outlines(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Outlines of parts under the powder, as thin broken lines, some filled."""
    size = scene.size
    lines, areas = np.zeros((2, size, size), np.uint8)
    for _ in range(int(rng.integers(1, 12))):
        x, y = (rng.uniform(0.05, 0.95, 2) * size).round().astype(int).tolist()
        half = scene.px(rng.uniform(10, 90), 4)
        radius, width = round(half), int(rng.integers(1, max(2, round(scene.px(6)))))
        kind = rng.choice(["circle", "rectangle", "arc", "text"])
        if kind == "circle":
            cv2.circle(lines, (x, y), radius, 255, width, cv2.LINE_AA)
            cv2.circle(areas, (x, y), radius, 255, -1, cv2.LINE_AA)
        elif kind == "rectangle":
            end = (x + round(half * rng.uniform(0.3, 3)), y + radius)
            cv2.rectangle(lines, (x, y), end, 255, width, cv2.LINE_AA)
            cv2.rectangle(areas, (x, y), end, 255, -1, cv2.LINE_AA)
        elif kind == "arc":
            turn, end = rng.uniform(0, 180), rng.uniform(90, 360)
            axes = (radius, max(1, radius // 2))
            cv2.ellipse(lines, (x, y), axes, turn, 0, end, 255, width, cv2.LINE_AA)
        else:
            text = "".join(rng.choice(list("ABEHLMNOPRSUX0123456789"), 4))
            font = cv2.FONT_HERSHEY_SIMPLEX
            cv2.putText(lines, text, (x, y), font, half / 25, 255, width, cv2.LINE_AA)
    broken = smoothstep(0.9 + smooth_noise(rng, lines.shape, scene.px(6, 2), scene.px(6, 2)))
    mottle = 1 + 0.5 * smooth_noise(rng, lines.shape, 4, 4)
    change = rng.uniform(0.02, 0.2) * (lines / np.float32(255)) * broken
    change += rng.uniform(0, 0.02) * (areas / np.float32(255)) * mottle
    return (change if rng.random() < 0.2 else -change).astype(np.float32)


def _stain(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """A soft blot, for instance soot on the window."""
    size = scene.size
    y, x = np.mgrid[:size, :size].astype(np.float32)
    width, height = rng.uniform(0.01, 0.2, 2) * size
    away = ((x - rng.uniform(0, size)) / width) ** 2 + ((y - rng.uniform(0, size)) / height) ** 2
    return rng.uniform(-0.12, 0.08) * np.exp(-away) * np.ones((), np.float32)


def _reflection(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """A lamp that the powder, the plate or the window reflects: bright, long, with soft edges."""
    size = scene.size
    y, x = np.mgrid[:size, :size].astype(np.float32)
    angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.05)
    x, y = x - rng.uniform(0, size), y - rng.uniform(0, size)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    long, short = scene.px(rng.uniform(15, 250), 4), scene.px(rng.uniform(4, 30), 2)
    power = rng.choice([2, 4, 8])
    shape = np.exp(-(np.abs(u / long) ** power) - np.abs(v / short) ** 2)
    return (rng.uniform(0.05, 1.2) * shape).astype(np.float32)
