"""Precision over recall as a small picture of lines, drawn by the browser."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from lwam_mm.lab.inspection.precision_recall import Curve

_LEFT, _TOP, _SIDE = 40, 8, 160


def draw_precision_recall(title: str, curves: Mapping[str, Curve], share: float) -> str:
    """Draw the curves of one class as SVG.

    The first curve has a solid line, with a dot at its best F-score; the others are dashed.

    Args:
        title: what is drawn, for those who cannot see it.
        curves: by the segmentor's name, one or more.
        share: the class's share of all pixels, 0..1: the precision of guessing.
    """
    parts = [_axes(), _line(np.array([0, 1]), np.array([share, share]), "guess")]
    for index, curve in enumerate(reversed(curves.values())):
        first = index == len(curves) - 1
        known = ~np.isnan(curve.precision)
        kind = "curve" if first else "curve other"
        parts.append(_line(curve.recall[known], curve.precision[known], kind))
        if first:
            x, y = _place(curve.recall[curve.best], curve.precision[curve.best])
            parts.append(f'<circle class="best" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
    width, height = _LEFT + _SIDE + 12, _TOP + _SIDE + 32
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _axes() -> str:
    parts = []
    for percent in (0, 50, 100):
        x, y = _place(percent / 100, percent / 100)
        left, right = _LEFT, _LEFT + _SIDE
        top, bottom = _TOP, _TOP + _SIDE
        parts += [
            f'<path class="grid" d="M{left} {y:g}H{right}M{x:g} {top}V{bottom}"/>',
            f'<text x="{left - 4}" y="{y + 3.5:g}" text-anchor="end">{percent}</text>',
            f'<text x="{x:g}" y="{bottom + 13}" text-anchor="middle">{percent}</text>',
        ]
    middle = _TOP + _SIDE / 2
    parts += [
        f'<text x="{_LEFT + _SIDE / 2:g}" y="{_TOP + _SIDE + 27}" text-anchor="middle">'
        "recall in %</text>",
        f'<text x="8" y="{middle:g}" text-anchor="middle" transform="rotate(-90 8 {middle:g})">'
        "precision in %</text>",
    ]
    return "".join(parts)


def _line(recall: np.ndarray, precision: np.ndarray, kind: str) -> str:
    points = np.round(np.stack(_place(recall, precision), axis=1), 1)
    # Thresholds that land on the same tenth of a pixel as the one before add bytes alone.
    fresh = np.append(True, np.any(points[1:] != points[:-1], axis=1))
    path = " ".join(f"{x:g},{y:g}" for x, y in points[fresh])
    return f'<polyline class="{kind}" points="{path}"/>'


def _place(recall, precision):
    return _LEFT + _SIDE * recall, _TOP + _SIDE * (1 - precision)
