from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from lwam_mm.lab.inspection.precision_recall import Curve
from lwam_mm.lab.inspection.precision_recall_plot import draw_precision_recall

THRESHOLDS = np.array([0, 0.25, 0.5, 0.75, 1.0])
FIRST = Curve(THRESHOLDS, np.array([0.2, 0.5, 0.8, 1, np.nan]), np.array([1, 0.5, 0.5, 0.25, 0]))
OTHER = Curve(THRESHOLDS, np.array([0.2, 0.2, 0.2, 1, 1]), np.array([1, 1, 1, 0.5, 0.5]))


def points(element) -> list[tuple[float, float]]:
    """Recall and precision, from the picture's own axes: 160 px for 100 %."""
    pairs = [pair.split(",") for pair in element.get("points").split()]
    return [((float(x) - 40) / 160, 1 - (float(y) - 8) / 160) for x, y in pairs]


def test_lines_are_the_curves():
    svg = ElementTree.fromstring(draw_precision_recall("a", {"s": FIRST, "t": OTHER}, 0.2))
    lines = {line.get("class"): points(line) for line in svg.iter("polyline")}
    assert list(lines) == ["guess", "curve other", "curve"]  # the first lies on top
    assert lines["guess"] == [pytest.approx((0, 0.2)), pytest.approx((1, 0.2))]
    # Without the threshold that finds nothing, and without points that repeat the one before.
    assert [pytest.approx(p) for p in lines["curve"]] == [
        (1, 0.2),
        (0.5, 0.5),
        (0.5, 0.8),
        (0.25, 1),
    ]
    assert [pytest.approx(p) for p in lines["curve other"]] == [(1, 0.2), (0.5, 1)]


def test_dot_is_at_the_best_f_score():
    svg = ElementTree.fromstring(draw_precision_recall("a", {"s": FIRST}, 0.2))
    (dot,) = svg.iter("circle")
    assert (float(dot.get("cx")), float(dot.get("cy"))) == (40 + 160 * 0.5, 8 + 160 * 0.2)


def test_axes_and_description():
    svg = ElementTree.fromstring(draw_precision_recall('a "<b>" & c', {"s": FIRST}, 0.2))
    assert (svg.get("role"), svg.get("aria-label")) == ("img", 'a "<b>" & c')
    texts = [text.text for text in svg.iter("text")]
    assert {"recall in %", "precision in %", "0", "50", "100"} == set(texts)
