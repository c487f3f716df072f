"""Every defect, drawn alone in full-size frames, measured against its clean twin."""

from __future__ import annotations

import dataclasses
from functools import cache

import cv2
import numpy as np
import pytest
from frame_statistics import measure_contrast

from lwam_mm.datasets.synthetic import Build, draw_layer, make_build
from lwam_mm.datasets.synthetic.scene import HOPPING, INCOMPLETE, LATTICE, STREAKING, SUPER
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


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("defect", [SUPER, INCOMPLETE, HOPPING, STREAKING, LATTICE])
def test_small_frames_show_every_defect_at_least_2_px_thick(defect, size):
    # A piece that outlives an opening by 2x2 px is that thick somewhere.
    for _, _, where in frames_of(defect, size, 20):
        kernel = np.ones((2, 2), np.uint8)
        opened = cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_OPEN, kernel)
        assert opened.sum() > 0.5 * where.sum() > 0


class TestSuperElevation:
    def test_bright_metal_has_the_contrast_and_texture_of_the_photographs(self):
        bright = [region for region in regions_of(SUPER) if region.contrast > 0]
        contrasts = np.array([region.contrast for region in bright])
        low, middle, high = np.percentile(contrasts, [5, 50, 95])
        assert low >= 0.47
        assert high <= 0.82
        assert middle == pytest.approx(0.63, abs=0.06)
        assert np.median([region.sigma for region in bright]) == pytest.approx(0.27, abs=0.03)

    def test_some_parts_are_dark(self):
        dark = [region.contrast for region in regions_of(SUPER) if region.contrast < 0]
        assert 0 < len(dark) < 0.4 * len(regions_of(SUPER))
        assert max(dark) < -0.2

    def test_parts_are_as_large_and_many_as_in_the_photographs(self):
        # 960 px in a 750 px frame are 1790 px here.
        assert 600 <= np.median([region.area for region in regions_of(SUPER)]) <= 3000
        per_frame = [sum(r.frame == k for r in regions_of(SUPER)) for k in range(SAMPLES)]
        assert 5 <= np.median(per_frame) <= 14
        assert shares_of(SUPER).min() >= 0.002
        assert shares_of(SUPER).max() <= 0.022


class TestIncompleteSpreading:
    def test_contrast(self):
        contrasts = contrasts_of(INCOMPLETE)
        assert contrasts.min() >= -0.52
        assert contrasts.max() <= -0.30
        short_feed = contrasts[contrasts < -0.345]
        assert len(short_feed) > SAMPLES / 2
        bare_plate = contrasts[contrasts >= -0.345]
        assert len(bare_plate) >= 1
        assert bare_plate.mean() == pytest.approx(-0.32, abs=0.02)

    def test_it_is_one_large_area(self):
        shares = shares_of(INCOMPLETE)
        assert shares.min() >= 0.02
        assert shares.max() <= 0.49
        assert shares[contrasts_of(INCOMPLETE) >= -0.345].min() >= 0.24
        for frame in range(SAMPLES):
            areas = [region.area for region in regions_of(INCOMPLETE) if region.frame == frame]
            assert max(areas) > 0.4 * sum(areas)

    def test_the_front_is_sharp_and_the_tail_lies_along_recoating(self):
        for image, clean, where in full_frames(INCOMPLETE):
            columns = where.sum(axis=0).astype(float)
            filled = np.cumsum(columns) / columns.sum()
            middle = np.searchsorted(filled, 0.5)
            # The densest columns lie before the middle of the whole extent, towards the front.
            start, end = np.flatnonzero(columns)[[0, -1]]
            assert middle - start < 0.55 * (end - start)
            # Streaked along recoating: edges across it are far more frequent.
            across = np.count_nonzero(np.diff(where.astype(np.int8), axis=0))
            along = np.count_nonzero(np.diff(where.astype(np.int8), axis=1))
            assert across > 2 * along
            # The front falls from powder to bare ground within a few pixels.
            rows = np.flatnonzero(where.sum(axis=1) > 40)[::7]
            first = where[rows].argmax(axis=1)
            keep = (first > 12) & (first < SIZE - 40)
            change = image / np.maximum(clean, 1).astype(float) - 1
            before = np.median(
                [change[r, c - 10] for r, c in zip(rows[keep], first[keep], strict=True)]
            )
            behind = np.median(
                [change[r, c + 6] for r, c in zip(rows[keep], first[keep], strict=True)]
            )
            assert before > -0.1
            assert behind < -0.2


class TestStreaking:
    def test_lines_are_long_straight_and_along_recoating(self):
        for region in regions_of(STREAKING):
            assert 3 <= region.height <= 16
            assert region.width >= 0.44 * SIZE
            assert region.area == pytest.approx(region.width * region.height, rel=0.03)

    def test_one_to_three_a_frame(self):
        per_frame = [sum(r.frame == k for r in regions_of(STREAKING)) for k in range(SAMPLES)]
        assert set(per_frame) == {1, 2, 3}

    def test_contrast_is_mostly_dark_some_faint(self):
        contrasts = np.array([region.contrast for region in regions_of(STREAKING)])
        strong = contrasts[contrasts < -0.035]
        faint = contrasts[(contrasts > -0.035) & (contrasts < 0)]
        assert len(strong) > 0.6 * len(contrasts)
        # 8-bit rounding moves a mean by a few tenths of a per cent.
        assert strong.min() >= -0.105
        assert strong.max() <= -0.040
        assert np.median(strong) == pytest.approx(-0.054, abs=0.008)
        assert len(faint) >= 1
        assert faint.min() >= -0.025
        assert faint.max() <= -0.005


class TestHopping:
    def test_lines_stand_across_recoating_and_are_thin(self):
        for region in regions_of(HOPPING):
            assert region.height > 1.5 * region.width
            assert region.area / region.height <= 7

    def test_ridges_reach_over_the_whole_bed_with_the_contrast_of_the_photographs(self):
        ridges = [region for region in regions_of(HOPPING) if region.height > 0.85 * SIZE]
        assert ridges
        for ridge in ridges:
            assert -0.043 <= ridge.contrast <= -0.02

    def test_short_lines_are_faint_too(self):
        short = [region for region in regions_of(HOPPING) if region.height < 0.4 * SIZE]
        assert len(short) > 20
        contrasts = [region.contrast for region in short]
        assert min(contrasts) >= -0.11
        assert max(contrasts) <= -0.01

    def test_a_light_edge_follows_the_dark_one(self):
        changes = []
        for image, clean, where in full_frames(HOPPING):
            dark = np.roll(where, 1, axis=1) & np.roll(where, 2, axis=1)
            behind = dark & ~where & ~np.roll(where, -1, axis=1)
            change = image / np.maximum(clean, 1).astype(float) - 1
            changes.append(change[behind].mean())
        assert np.mean(changes) > 0.008

    def test_it_is_rare_in_pixels(self):
        assert shares_of(HOPPING).max() < 0.02
        assert np.median(shares_of(HOPPING)) < 0.006


class TestLattice:
    def test_small_square_and_bright(self):
        assert shares_of(LATTICE).max() <= 0.001
        for region in regions_of(LATTICE):
            assert abs(region.width - region.height) <= 1
            assert region.area == region.width * region.height
            assert 0.15 <= region.contrast <= 0.6
            assert region.sigma > 0.15

    def test_struts_repeat_with_a_pitch_of_a_few_pixels(self):
        for image, clean, where in full_frames(LATTICE):
            rows, columns = np.nonzero(where)
            y, x = rows[0], columns[0]
            side = int(where[y].sum()) if where[y].sum() <= 24 else 17
            change = image / np.maximum(clean, 1).astype(float) - 1
            patch = change[y : y + 17, x : x + min(side, 17)]
            bright = patch > 0.5 * patch.max()
            assert 0.2 < bright.mean() < 0.85
            crossings = max(
                np.abs(np.diff(line.astype(int))).sum() for line in [*bright, *bright.T]
            )
            assert crossings >= 4
