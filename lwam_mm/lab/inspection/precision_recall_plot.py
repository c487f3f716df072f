"""Precision over recall as a small picture of lines, drawn by the browser."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from lwam_mm.lab.inspection.precision_recall import Curve
from lwam_mm.lab.pages.html import render

_LEFT, _TOP, _SIDE = 40, 8, 160


def draw_precision_recall(title: str, curves: Mapping[str, Curve], share: float) -> Markup:
    """Draw the curves of one class as SVG.

    The first curve has a solid line, with a dot at its best F-score; the others are dashed.

    Args:
        title: A description for readers who cannot see the picture.
        curves: One or more curves by the segmentor's name.
        share: The class's share of all pixels, 0..1: the precision of guessing.
    """
    first, *others = curves.values()
    lines = [("guess", _points(np.array([0, 1]), np.array([share, share])))]
    # The first line is drawn last, on top of the others.
    for kind, curve in [*(("curve other", other) for other in reversed(others)), ("curve", first)]:
        known = ~np.isnan(curve.precision)
        lines.append((kind, _points(curve.recall[known], curve.precision[known])))
    best = _place(first.recall[first.best], first.precision[first.best])
    return render(
        "precision_recall.svg",
        title=title, lines=lines, best=best, left=_LEFT, top=_TOP, side=_SIDE,
    )  # fmt: skip


def _points(recall: np.ndarray, precision: np.ndarray) -> str:
    points = np.round(np.stack(_place(recall, precision), axis=1), 1)
    # Thresholds at the same tenth of a pixel as the one before only make the page larger.
    fresh = np.append(True, np.any(points[1:] != points[:-1], axis=1))
    return " ".join(f"{x:g},{y:g}" for x, y in points[fresh])


def _place(recall, precision):
    return _LEFT + _SIDE * recall, _TOP + _SIDE * (1 - precision)
