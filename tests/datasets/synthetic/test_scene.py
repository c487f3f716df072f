from __future__ import annotations

import numpy as np
import pytest

from lwam_mm.datasets.synthetic.scene import Canvas, Part, Scene, smoothstep


def test_distance_is_negative_inside_only():
    block = Part(x=50, y=40, half_x=10, half_y=5, shape="block")
    window, away = block.distance(100, margin=3)
    assert away.shape == (window[0].stop - window[0].start, window[1].stop - window[1].start)
    inside = np.zeros((100, 100), bool)
    inside[window] = away <= 0
    assert inside.sum() == 21 * 11
    assert inside[40, 50]
    ring = Part(x=50, y=50, half_x=20, half_y=20, shape="ring")
    window, away = ring.distance(100, margin=3)
    whole = np.ones((100, 100))
    whole[window] = away
    assert whole[50, 50] > 0
    assert whole[50, 65] < 0
    assert whole[50, 71] > 0


def test_canvas_labels_powder_only_and_metal_covers_all():
    canvas = Canvas(4)
    everything = (slice(0, 4), slice(0, 4))
    half = np.zeros((4, 4), bool)
    half[:2] = True
    canvas.paint(everything, half, np.full((4, 4), -0.5, np.float32) * half, label=2)
    canvas.paint(everything, ~half | half, np.full((4, 4), -0.1, np.float32), label=4)
    assert canvas.mask[:2].tolist() == [[2] * 4] * 2
    assert canvas.mask[2:].tolist() == [[4] * 4] * 2
    assert np.allclose(canvas.factor[:2], 0.5)
    assert np.allclose(canvas.factor[2:], 0.9)
    alpha = np.zeros((4, 4), np.float32)
    alpha[:, 0], alpha[:, 1] = 1.0, 0.4
    canvas.replace(everything, alpha, np.full((4, 4), 1.6, np.float32), label=1)
    assert np.allclose(canvas.factor[:, 0], 1.6)
    assert np.allclose(canvas.factor[:2, 1], 0.5 + 0.4 * 1.1)
    assert (canvas.mask[:, 0] == 1).all()
    assert (canvas.mask[:, 1] != 1).all()


def test_lengths_refer_to_a_frame_of_1024_px():
    scene = Scene(size=256, inset=(0, 0, 0, 0), parts=(), lattices=())
    assert scene.px(8) == 2
    assert scene.px(8, at_least=3) == 3


def test_smoothstep_rises_from_0_to_1_and_stays_there():
    found = smoothstep(np.array([-1.0, 0.0, 0.25, 0.5, 1.0, 2.0]))
    assert found == pytest.approx([0, 0, 0.15625, 0.5, 1, 1])


def test_what_is_drawn_on_a_transposed_canvas_shows_on_its_own():
    canvas = Canvas(4)
    window = (slice(0, 1), slice(0, 4))
    canvas.transposed().paint(window, np.ones((1, 4), bool), np.full((1, 4), 0.5, np.float32), 3)
    assert (canvas.mask[:, 0] == 3).all()
    assert not canvas.mask[:, 1:].any()
    assert (canvas.factor[:, 0] == 1.5).all()
