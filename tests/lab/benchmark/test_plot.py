from __future__ import annotations

import cv2
import numpy as np

from lwam_mm.lab.benchmark.latency import summarise
from lwam_mm.lab.benchmark.plot import draw
from lwam_mm.lab.benchmark.row import Result

LATENCY = summarise([10.0, 20.0])


def test_a_picture_of_what_is_known():
    with_miou = [Result("a", "a", miou=70.0, latency=LATENCY), Result("b", "b", latency=LATENCY)]
    without = [Result("a", "a", parameters=4_000_000, latency=LATENCY)]
    pictures = [draw(with_miou), draw(without)]
    for data in pictures:
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
    assert pictures[0] != pictures[1]
    assert draw(with_miou) == pictures[0]


def test_no_picture_of_nothing():
    assert draw([Result("a", "a"), Result("b", "b", latency=LATENCY)]) is None
