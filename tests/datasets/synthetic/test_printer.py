from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from frame_statistics import measure_grain

from lwam_mm.datasets.synthetic import draw_layer, make_build
from lwam_mm.datasets.synthetic.printer import (
    chamber,
    lighting,
    plate_outline,
    powder_cover,
    sample_printer,
)

SEEDS = range(10)


@pytest.mark.parametrize("size", [128, 1024])
def test_clean_powder_has_the_grain_of_a_photograph(size):
    middle = slice(size // 4, 3 * size // 4)
    found = []
    for index in SEEDS:
        build = make_build(2, index, size, 1)
        image, _ = draw_layer(build, 0, with_defects=False)
        ground = build.ground[:, ::-1] if build.printer.mirrored else build.ground
        found.append(measure_grain(image[middle, middle], ground[middle, middle]))
    sigmas, correlations = np.array(found).T
    assert sigmas.min() >= 0.017
    assert sigmas.max() <= 0.040
    assert correlations.min() >= 0.66
    assert correlations.max() <= 0.90
    if size == 1024:
        assert sigmas.max() > 1.3 * sigmas.min(), "printers should differ"


def test_lighting_is_uneven_within_the_range_and_smooth():
    for index in SEEDS:
        light = lighting(sample_printer((4, index)), 256)
        assert 0.38 <= (light.max() - light.min()) / light.mean() <= 0.75
        assert np.abs(np.diff(light, axis=0)).max() < 0.02
        assert np.abs(np.diff(light, axis=1)).max() < 0.02


def test_lighting_range_holds_on_the_drawn_frame():
    for index in SEEDS:
        build = make_build(5, index, 256, 1)
        image, _ = draw_layer(build, 0, with_defects=False)
        powder = (build.cover[:, ::-1] if build.printer.mirrored else build.cover) == 1
        # Averaged over 16 px blocks that hold powder only, the grain is gone.
        blocks = image.reshape(16, 16, 16, 16).mean((1, 3))
        whole = powder.reshape(16, 16, 16, 16).all((1, 3))
        levels = blocks[whole]
        assert 0.33 <= (levels.max() - levels.min()) / levels.mean() <= 0.75


def test_light_comes_from_different_sides():
    directions = []
    for index in range(16):
        light = lighting(sample_printer((6, index)), 64)
        rise_x = light[:, 48:].mean() - light[:, :16].mean()
        rise_y = light[48:].mean() - light[:16].mean()
        directions.append((rise_x > 0, rise_y > 0))
    assert len(set(directions)) == 4


def test_chamber_strips_frame_some_printers_and_are_dark():
    printers = [sample_printer((7, index)) for index in range(12)]
    framed = [printer for printer in printers if any(map(any, printer.sides))]
    assert 0 < len(framed) < len(printers)
    for printer in printers:
        cover = powder_cover(printer, 256)
        share = float(1 - cover.mean())
        assert share < 0.12
        assert (share > 0) == (printer in framed)
        if printer in framed:
            assert chamber(printer, 256)[cover < 0.5].mean() < 0.4


@pytest.mark.parametrize("side", range(4))
def test_a_strip_lies_on_its_side(side):
    sides = [(0.0, 0.0)] * 4
    sides[side] = (0.04, 0.04)
    printer = dataclasses.replace(sample_printer((8, 0)), sides=tuple(sides), ragged=4)
    cover = powder_cover(printer, 100)
    strips = [cover[:, :3], cover[:3], cover[:, -3:], cover[-3:]]
    for index, strip in enumerate(strips):
        assert (strip.max() == 0) == (index == side)


def test_plate_outline_is_faint_and_only_where_wanted():
    printer = sample_printer((9, 0))
    plain = plate_outline(dataclasses.replace(printer, plate_step=0.0), 64)
    assert not plain.any()
    shown = plate_outline(
        dataclasses.replace(printer, plate_step=0.03, sides=((0.0, 0.0),) * 4), 64
    )
    assert shown[32, 32] == 0
    assert shown[0, 0] == pytest.approx(0.03)
