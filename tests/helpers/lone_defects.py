"""Every defect, drawn alone in full-size frames, measured against its clean twin."""

from __future__ import annotations

import dataclasses
from functools import cache

import cv2
import numpy as np
from frame_statistics import measure_contrast

from lwam_mm.datasets.synthetic import Build, draw_layer, make_build
from lwam_mm.datasets.synthetic.schedule import Event

SIZE = 1024
SAMPLES = 14


@dataclasses.dataclass(frozen=True)
class Region:
    """A connected piece of one class."""

    frame: int
    area: int
    width: int
    height: int
    contrast: float
    sigma: float


@cache
def clean_build(index: int, size: int) -> tuple[Build, np.ndarray]:
    """Return a build whose recoater runs left to right, and its first layer without defects."""
    build = make_build(21, index, size, 4)
    build = dataclasses.replace(
        build, printer=dataclasses.replace(build.printer, mirrored=False), events=()
    )
    return build, draw_layer(build, 0)[0]


def frames_of(defect: int, size: int, samples: int) -> list[tuple[np.ndarray, ...]]:
    """Return (image, clean twin, mask) of frames with one defect, fully developed."""
    frames = []
    for index in range(samples):
        build, clean = clean_build(index, size)
        build = dataclasses.replace(build, events=(Event(defect, 0, 1, index),))
        image, mask = draw_layer(build, 0)
        frames.append((image, clean, mask == defect))
    return frames


@cache
def full_frames(defect: int) -> list[tuple[np.ndarray, ...]]:
    return frames_of(defect, SIZE, SAMPLES)


@cache
def regions_of(defect: int, smallest: int = 100) -> list[Region]:
    regions = []
    for frame, (image, clean, where) in enumerate(full_frames(defect)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8))
        for index in range(1, count):
            x, y, width, height, area = stats[index]
            if area >= smallest:
                box = (slice(y, y + height), slice(x, x + width))
                piece = labels[box] == index
                contrast = measure_contrast(image[box], clean[box], piece)
                sigma = float((image[box] / np.maximum(clean[box], 1.0))[piece].std())
                regions.append(Region(frame, area, width, height, contrast, sigma))
    return regions


def shares_of(defect: int) -> np.ndarray:
    return np.array([where.mean() for _, _, where in full_frames(defect)])


def contrasts_of(defect: int) -> np.ndarray:
    return np.array([measure_contrast(*frame) for frame in full_frames(defect)])
