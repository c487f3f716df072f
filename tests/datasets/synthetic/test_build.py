from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from lwam_mm.datasets.synthetic import draw_layer, make_build
from lwam_mm.datasets.synthetic.defects import DRAW
from lwam_mm.datasets.synthetic.scene import DEFECTS


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def without_grain(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA).astype(float)


@pytest.mark.parametrize("size", [32, 100, 256])
def test_a_layer_is_an_image_and_an_index_mask(size):
    build = make_build(1, 0, size, 4)
    for layer in range(4):
        image, mask = draw_layer(build, layer)
        assert image.shape == mask.shape == (size, size)
        assert image.dtype == mask.dtype == np.uint8
        assert mask.max() <= 5


def test_equal_arguments_draw_equal_layers_whatever_was_drawn_before():
    first, second = make_build(2, 3, 96, 5), make_build(2, 3, 96, 5)
    draw_layer(second, 4)
    threads = cv2.getNumThreads()
    for layer in range(5):
        image, mask = draw_layer(first, layer)
        try:
            cv2.setNumThreads(1)
            again, mask_again = draw_layer(second, layer)
        finally:
            cv2.setNumThreads(threads)
        assert np.array_equal(image, again)
        assert np.array_equal(mask, mask_again)


def test_seed_and_index_change_the_build():
    frames = [draw_layer(make_build(*key, 64, 2), 0)[0] for key in [(0, 0), (0, 1), (1, 0)]]
    assert not np.array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[0], frames[2])


def test_layers_of_a_build_resemble_each_other_more_than_those_of_others():
    builds = [make_build(4, index, 256, 3) for index in range(5)]
    clean = [[draw_layer(b, k, with_defects=False)[0] for k in range(3)] for b in builds]
    within = [correlation(layers[k], layers[k + 1]) for layers in clean for k in range(2)]
    between = [correlation(clean[i][0], clean[j][0]) for i in range(5) for j in range(i)]
    assert min(within) > 0.9
    assert min(within) > max(between)
    # Grain is new in every layer; without it only the light and the frame are left.
    assert (
        min(
            correlation(without_grain(layers[k]), without_grain(layers[k + 1]))
            for layers in clean
            for k in range(2)
        )
        > 0.99
    )


def test_grain_is_new_in_every_layer():
    build = make_build(4, 0, 256, 2)
    ground = build.ground[:, ::-1] if build.printer.mirrored else build.ground
    middle = (slice(64, 192), slice(64, 192))
    one, other = (
        draw_layer(build, k, with_defects=False)[0][middle] / ground[middle] for k in range(2)
    )
    assert abs(correlation(one, other)) < 0.1


def test_defects_change_nothing_elsewhere():
    build = make_build(5, 1, 256, 6)
    for layer in range(6):
        image, mask = draw_layer(build, layer)
        clean, empty = draw_layer(build, layer, with_defects=False)
        assert not empty.any()
        far = cv2.dilate((mask > 0).astype(np.uint8), np.ones((41, 41))) == 0
        assert np.array_equal(image[far], clean[far])


def test_a_defect_shows_in_its_layers_only():
    build = make_build(6, 0, 256, 8)
    for layer in range(8):
        _, mask = draw_layer(build, layer)
        scheduled = {
            event.defect for event in build.events if 0 <= layer - event.start < event.duration
        }
        assert set(np.unique(mask)) - {0} == scheduled


def test_lasting_defects_stay_in_place():
    stayed = dict.fromkeys(DEFECTS, 0)
    for index in range(6):
        build = make_build(7, index, 256, 8)
        for event in build.events:
            if event.duration < 2:
                continue
            alone = dataclasses.replace(build, events=(event,))
            masks = [draw_layer(alone, event.start + k)[1] > 0 for k in range(2)]
            near = cv2.dilate(masks[0].astype(np.uint8), np.ones((9, 9))) > 0
            assert (near & masks[1]).sum() > 0.6 * masks[1].sum()
            stayed[event.defect] += 1
    assert min(stayed.values()) >= 1


def test_no_label_lies_beside_the_powder_bed():
    for index in range(12):
        build = make_build(8, index, 128, 4)
        cover = build.cover[:, ::-1] if build.printer.mirrored else build.cover
        for layer in range(4):
            assert not draw_layer(build, layer)[1][cover < 0.5].any()


def test_a_mirrored_printer_mirrors_image_and_mask():
    build = make_build(9, 0, 128, 4)
    other = dataclasses.replace(
        build, printer=dataclasses.replace(build.printer, mirrored=not build.printer.mirrored)
    )
    for one, two in zip(draw_layer(build, 1), draw_layer(other, 1), strict=True):
        assert np.array_equal(one, two[:, ::-1])


@pytest.mark.parametrize("layer", [-1, 4])
def test_an_unknown_layer_is_an_error(layer):
    with pytest.raises(ValueError, match=f"layer {layer} does not exist.*0 to 3"):
        draw_layer(make_build(0, 0, 32, 4), layer)


def test_every_defect_can_be_drawn():
    assert set(DRAW) == set(DEFECTS)
