"""Colours that the colour-blind can tell apart (Okabe and Ito, 2008)."""

from __future__ import annotations

VERDICTS = {
    "ok": "#009E73",
    "minor": "#E69F00",
    "critical": "#D55E00",
    "not_inspected": "#7F7F7F",
    "missing": "#FFFFFF",
}
"""Colour of each verdict, and of a layer that is missing."""

LETTERS = {"ok": "o", "minor": "m", "critical": "c", "not_inspected": "n", "missing": "x"}

_CLASSES = ("#D55E00", "#56B4E9", "#F0E442", "#CC79A7", "#0072B2", "#009E73", "#E69F00")


def class_colour(index: int) -> str:
    """Return the colour of a class; 0, the background, has none of them.

    Example:
        >>> class_colour(1), class_colour(8)
        ('#D55E00', '#D55E00')
    """
    return _CLASSES[(index - 1) % len(_CLASSES)]


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of ``#RRGGBB``.

    Example:
        >>> rgb("#D55E00")
        (213, 94, 0)
    """
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
