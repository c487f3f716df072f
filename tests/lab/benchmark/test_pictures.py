from __future__ import annotations

import cv2
import numpy as np

from lwam_mm.lab.benchmark.pictures import draw_frame, draw_layers


def test_layers_and_a_frame(tmp_path):
    layers = draw_layers(tmp_path / "new", 64, 2)
    pixels = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in layers]
    assert [(p.shape, p.dtype) for p in pixels] == [((64, 64), np.uint8)] * 2
    assert not np.array_equal(*pixels)
    assert pixels[0].std() > 2
    frame = cv2.imread(str(draw_frame(layers[0], tmp_path / "frame.png")), cv2.IMREAD_UNCHANGED)
    assert frame.shape == (3302, 3772)
    assert np.array_equal(frame[64:128, 640:704], pixels[0])
