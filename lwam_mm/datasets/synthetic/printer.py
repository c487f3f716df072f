"""A printer: its lighting, the grain of its powder, the chamber around the powder bed."""

from dataclasses import dataclass

import cv2
import numpy as np

from lwam_mm.datasets.synthetic.noise import generator, grain, smooth_noise
from lwam_mm.datasets.synthetic.scene import REFERENCE_SIZE, Part, Scene, smoothstep

_LAYOUT, _LIGHT, _SURROUND, _BANDS, _LAYER = range(5)
_CHAMBER_LEVEL = 0.17
_FAINTEST_GRAIN = 0.0185


@dataclass(frozen=True)
class Printer:
    """The appearance of clean powder to the camera, the same for all layers of a build."""

    key: tuple[int, ...]  # seeds of the printer's own textures
    level: float  # mean grey level of powder, 0..255
    light_angle: float  # direction in which the light increases, rad
    light_range: float  # (brightest - darkest) / mean over the powder bed
    light_curve: float  # share of the light that decreases from the centre, 0..1
    grain_sigma: float  # standard deviation of the grain over its mean, in a 1024 px frame
    grain_correlation: float  # lag-1 autocorrelation of the grain
    clump_share: float  # share of the grain's variance in clumps
    band_sigma: float  # standard deviation of the faint bands along recoating
    ghost: float  # contrast of the parts' trace under fresh powder; 0 for none
    plate_step: float  # how much brighter the powder beside the build plate is; 0 shows no outline
    # Width of the chamber strip at both ends of (left, top, right, bottom), in frame sizes; (0, 0)
    # where the powder fills the frame.
    sides: tuple[tuple[float, float], ...]
    ragged: int  # index of the side with spilt powder on its edge; 4 for none
    mirrored: bool  # whether the recoater moves right to left


def sample_printer(key: tuple[int, ...]) -> Printer:
    """Sample a printer."""
    rng = generator(*key, _LAYOUT)
    sides = [(0.0, 0.0)] * 4
    for side in rng.permutation(4)[: rng.integers(0, 4)]:
        wide, narrow = rng.uniform(0.012, 0.04), rng.uniform(0.0, 0.012)
        sides[side] = (wide, narrow) if rng.random() < 0.5 else (narrow, wide)
    return Printer(
        key=key,
        level=rng.uniform(80, 112),
        light_angle=rng.uniform(0, 2 * np.pi),
        light_range=rng.uniform(0.42, 0.72),
        light_curve=rng.uniform(0.1, 0.5),
        grain_sigma=rng.uniform(0.019, 0.036),
        grain_correlation=rng.uniform(0.735, 0.81),
        clump_share=rng.uniform(0.0, 0.08),
        band_sigma=rng.uniform(0.0015, 0.004),
        ghost=rng.uniform(0.005, 0.02) if rng.random() < 0.6 else 0.0,
        plate_step=rng.uniform(0.015, 0.04) if rng.random() < 0.35 else 0.0,
        sides=tuple(sides),
        ragged=int(rng.integers(0, 5)),
        mirrored=bool(rng.random() < 0.5),
    )


def lighting(printer: Printer, size: int) -> np.ndarray:
    """Return the light on the powder, float32 (size, size), mean 1, range `light_range`."""
    rng = generator(*printer.key, _LIGHT)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    slope = (np.cos(printer.light_angle) * x + np.sin(printer.light_angle) * y) / np.sqrt(2)
    away = (x - rng.uniform(-0.4, 0.4)) ** 2 + (y - rng.uniform(-0.4, 0.4)) ** 2
    swell = smooth_noise(rng, (size, size), 0.28 * size, 0.28 * size)
    light = (1 - printer.light_curve) * slope - printer.light_curve * away / 2 + 0.04 * swell
    light = (light - light.mean()) / (light.max() - light.min())
    return (1 + printer.light_range * light).astype(np.float32)


def powder_cover(printer: Printer, size: int) -> np.ndarray:
    """Return the share of each pixel that is powder bed, 0..1, float32 (size, size)."""
    rng = generator(*printer.key, _SURROUND)
    along = np.linspace(0, 1, size, dtype=np.float32)
    across = np.arange(size, dtype=np.float32)
    cover = np.ones((size, size), np.float32)
    for side, (start, end) in enumerate(printer.sides):
        if start == end == 0.0:
            continue
        edge = size * (start + (end - start) * along)
        if side == printer.ragged:
            heaps = smooth_noise(rng, (1, size), 0.02 * size, 0)[0]
            crumbs = smooth_noise(rng, (1, size), 0.003 * size, 0)[0]
            edge = edge + size * (0.0025 * np.abs(heaps) + 0.0012 * crumbs)
        depth = across if side < 2 else across[::-1]
        inside = np.clip(depth[None, :] - edge[:, None] + 0.5, 0, 1)
        cover *= inside if side in (0, 2) else inside.T
    return cover


def bed_inset(printer: Printer, size: int) -> tuple[float, ...]:
    """Return the powder bed's distance from the frame's (left, top, right, bottom), px."""
    return tuple(max(side) * size for side in printer.sides)


def chamber(printer: Printer, size: int) -> np.ndarray:
    """Return the chamber's grey level over that of powder: dark, scratched metal."""
    rng = generator(*printer.key, _SURROUND, 1)
    shape = (size, size)
    level = _CHAMBER_LEVEL * (1 + 0.35 * smooth_noise(rng, shape, 0.03 * size, 0.03 * size))
    level += 0.02 * smooth_noise(rng, shape, 0.8, 0.8)
    scratches = np.zeros(shape, np.uint8)
    for _ in range(150):
        start = rng.uniform(0, size, 2)
        stroke = rng.normal(0, 0.03 * size, 2)
        ends = np.round(16 * np.stack([start, start + stroke])).astype(int)
        shine = int(rng.integers(20, 90))
        cv2.line(scratches, ends[0].tolist(), ends[1].tolist(), shine, 1, cv2.LINE_AA, shift=4)
    return np.clip(level, 0.03, None) + scratches / np.float32(400)


def plate_outline(printer: Printer, size: int) -> np.ndarray:
    """Return the level change that shows the build plate's outline, float32 (size, size)."""
    if printer.plate_step == 0.0:
        return np.zeros((size, size), np.float32)
    left, top, right, bottom = bed_inset(printer, size)
    inset = 0.03 * size
    plate = Part(
        x=(size + left - right) / 2,
        y=(size + top - bottom) / 2,
        half_x=(size - left - right) / 2 - inset,
        half_y=(size - top - bottom) / 2 - inset,
        shape="block",
    )
    _, away = plate.distance(size, margin=size)
    softness = max(2.0, 0.003 * size)
    return (printer.plate_step * smoothstep(0.5 + away / softness)).astype(np.float32)


def part_traces(printer: Printer, scene: Scene) -> np.ndarray:
    """Return the faint trace of the parts under fresh powder, float32 (size, size)."""
    trace = np.zeros((scene.size, scene.size), np.float32)
    if printer.ghost == 0.0:
        return trace
    rng = generator(*printer.key, _SURROUND, 2)
    mottle = smooth_noise(rng, trace.shape, scene.px(2.5, 0.8), scene.px(2.5, 0.8))
    for part in scene.parts:
        window, away = part.distance(scene.size, margin=scene.px(6, 1))
        inside = smoothstep(0.5 - away / scene.px(6, 1.5))
        trace[window] -= printer.ghost * inside * (1 + 0.6 * mottle[window])
    return trace


def fresh_powder(printer: Printer, size: int, layer: int) -> np.ndarray:
    """Return a layer's bands and grain, over powder's mean level, float32 (size, size)."""
    rng = generator(*printer.key, _LAYER, layer)
    shape = (size, size)
    # In a frame of fewer pixels, some of the grain averages out.
    sigma = max(_FAINTEST_GRAIN, printer.grain_sigma * min(1.0, (size / REFERENCE_SIZE) ** 0.25))
    powder = 1 + np.float32(sigma) * grain(
        rng, shape, printer.grain_correlation, printer.clump_share
    )
    # Blade wear leaves permanent bands, and every pass adds others.
    permanent = generator(*printer.key, _BANDS)
    width = max(0.006 * size, 1.0)
    for source, share in ((permanent, 0.8), (rng, 0.6)):
        bands = smooth_noise(source, (size, 1), 0, width)
        powder += np.float32(share * printer.band_sigma) * bands
    # A few particles reflect the lamp.
    count = int(rng.poisson(2e-4 * size * size))
    rows, columns = rng.integers(0, size, (2, count))
    powder[rows, columns] += rng.uniform(0.05, 0.25, count).astype(np.float32)
    return powder * np.float32(1 + rng.normal(0, 0.004))
