"""The camera in the chamber: where it stands, what lies around the powder bed, how it exposes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.synthetic.noise import generator, smooth_noise

_STANDING, _LAYER = range(2)


@dataclass(frozen=True)
class Camera:
    """One machine's camera; all lengths are shares of the frame's side."""

    key: tuple[int, ...]
    corners: np.ndarray  # where the bed's corners are in the frame, (4, 2), clockwise from top left
    quarter_turns: int  # how the recoating direction lies: 0 or 2 along x, 1 or 3 along y
    gain: float  # brightness of the frame over that of the bed as drawn
    gamma: float
    vignetting: float  # how much darker the corners are, 0..1
    blur: float  # sigma, px of a 1024 px frame
    noise: float  # sigma of the sensor, grey levels
    jpeg_quality: int  # 100 for none


def sample_camera(key: tuple[int, ...]) -> Camera:
    """Sample a camera: looking straight down or askew, near enough to see no wall, or farther."""
    rng = generator(*key, _STANDING)
    margin = rng.uniform(-0.04, 0.02, 4) if rng.random() < 0.3 else rng.uniform(-0.02, 0.16, 4)
    left, top, right, bottom = margin
    corners = np.array([(left, top), (1 - right, top), (1 - right, 1 - bottom), (left, 1 - bottom)])
    keystone = rng.uniform(0, 0.1) * rng.choice([-1, 1])
    corners[:2, 0] += [keystone, -keystone]
    corners += rng.normal(0, 0.015, (4, 2))
    return Camera(
        key=key,
        corners=corners,
        quarter_turns=int(rng.choice(4, p=[0.3, 0.2, 0.3, 0.2])),
        gain=rng.uniform(0.6, 1.9),
        gamma=rng.uniform(0.75, 1.3),
        vignetting=rng.uniform(0, 0.35),
        blur=rng.choice([0.0, rng.uniform(0.3, 1.6)]),
        noise=rng.uniform(0, 2.5),
        jpeg_quality=int(rng.choice([100, rng.integers(45, 96)])),
    )


def look(camera: Camera, bed: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project bed and mask into the frame, among walls and edges.

    Args:
        camera: The camera.
        bed: Grey levels of the bed, 0..255, float32 (size, size).
        mask: Class indices, uint8 (size, size).

    Returns:
        The frame, float32 (size, size), and its mask; walls are background, and at the bed's edge
        a defect that is cut in two is ignored.
    """
    size = len(bed)
    corners = np.float32([(0, 0), (size, 0), (size, size), (0, size)])
    target = np.roll(camera.corners, camera.quarter_turns, axis=0).astype(np.float32) * size
    view = cv2.getPerspectiveTransform(corners, target)
    seen = cv2.warpPerspective(bed, view, (size, size), flags=cv2.INTER_AREA)
    labels = cv2.warpPerspective(mask, view, (size, size), flags=cv2.INTER_NEAREST)
    share = cv2.warpPerspective(np.ones_like(bed), view, (size, size), flags=cv2.INTER_LINEAR)
    labels[(share > 0) & (share < 1) & (labels > 0)] = IGNORE_INDEX
    walls = _walls(camera, size, share) * np.float32(bed.mean())
    return walls + share * (seen / np.maximum(share, 1e-3) - walls), labels


def expose(camera: Camera, frame: np.ndarray, layer: int) -> np.ndarray:
    """Return a frame as the camera stores it, uint8 (size, size)."""
    rng = generator(*camera.key, _LAYER, layer)
    size = len(frame)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    frame = frame * (1 - camera.vignetting * (x**2 + y**2) / 2)
    if camera.blur:
        frame = cv2.GaussianBlur(frame, (0, 0), max(camera.blur * size / 1024, 0.25))
    frame = camera.gain * (1 + rng.normal(0, 0.02)) * frame
    frame = 255 * np.clip(frame / 255, 0, None) ** camera.gamma
    frame += camera.noise * rng.standard_normal(frame.shape, dtype=np.float32)
    stored = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
    if camera.jpeg_quality < 100:
        options = [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality]
        stored = cv2.imdecode(cv2.imencode(".jpg", stored, options)[1], cv2.IMREAD_GRAYSCALE)
    return stored


def _texture(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return dots, ribs or brush marks, about -1..1, float32 (size, size)."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    pitch_x, pitch_y = rng.uniform(3, 18, 2)
    kind = rng.choice(["dots", "ribs", "brushed"])
    if kind == "dots":
        texture = np.sin(2 * np.pi * x / pitch_x) * np.sin(2 * np.pi * y / pitch_y)
        texture = np.where(texture > rng.uniform(-0.2, 0.6), 1, -0.3)
    elif kind == "ribs":
        texture = np.sin(2 * np.pi * (x if rng.random() < 0.5 else y) / pitch_x)
    else:
        along = (rng.uniform(5, 60), 0.6)
        texture = 0.5 * smooth_noise(rng, (size, size), *rng.permutation(along))
    return (rng.uniform(0.15, 0.9) * texture).astype(np.float32)


def _walls(camera: Camera, size: int, share: np.ndarray) -> np.ndarray:
    """Draw what lies around the bed, over the bed's mean: rails, walls, lamps, scratches."""
    rng = generator(*camera.key, _STANDING, 1)
    shape = (size, size)
    walls = np.full(shape, rng.uniform(0.05, 0.9), np.float32)
    walls *= 1 + 0.25 * smooth_noise(rng, shape, 0.04 * size, 0.04 * size)
    # Rails and edges run along the bed's sides, so they follow the distance from it.
    away = cv2.distanceTransform((share < 0.5).astype(np.uint8), cv2.DIST_L2, 5) / size
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]
    side = np.argmin(np.stack([x, y, 1 - x, 1 - y]), axis=0)
    for number in range(4):
        level = np.zeros(64, np.float32)
        position = 0
        while position < 64:
            width = int(rng.integers(1, 12))
            level[position : position + width] = rng.choice([0.05, 0.3, 0.9, 1.6]) * rng.uniform(
                0.5, 1.4
            )
            position += width
        level = cv2.GaussianBlur(level[None], (0, 0), rng.uniform(0.3, 2.5))[0]
        strips = np.interp(away, np.linspace(0, 0.2, 64), level).astype(np.float32)
        walls = np.where(side == number, 0.35 * walls + 0.65 * strips, walls)
        if rng.random() < 0.6:  # a perforated, ribbed or brushed strip
            inner = rng.uniform(-0.01, 0.1)
            strip = (side == number) & (away > inner) & (away < inner + rng.uniform(0.01, 0.15))
            walls *= 1 + strip * _texture(size, rng)
    for _ in range(int(rng.integers(0, 8))):  # lamps and their mirror images
        centre = tuple(int(v) for v in rng.uniform(0, size, 2))
        axes = tuple(int(v) for v in rng.uniform(0.003, 0.05, 2) * size + 1)
        cv2.ellipse(walls, centre, axes, rng.uniform(0, 180), 0, 360, rng.uniform(1, 3), -1)
    walls *= 1 + 0.15 * smooth_noise(rng, shape, 0.8, 0.8)
    return cv2.GaussianBlur(walls, (0, 0), 0.8)
