"""The released classes and colours, and colours for other class lists."""

import colorsys

CLASSES: tuple[str, ...] = ("Background", "Super", "Incomplete", "Hopping", "Streaking", "Lattice")
"""Class names in index order: the powder bed, four recoating defects, lattice structures."""

PALETTE: tuple[tuple[int, int, int], ...] = (
    (0, 0, 0),
    (255, 0, 255),
    (255, 0, 0),
    (0, 255, 0),
    (0, 255, 255),
    (0, 0, 255),
)
"""One RGB colour (0..255) per class, in the order of :data:`CLASSES`."""

IGNORE_INDEX = 255
"""Mask value of pixels that loss and metrics ignore."""

_GOLDEN_RATIO = 0.618033988749895


def default_palette(num_classes: int) -> list[list[int]]:
    """Return an RGB colour (0..255) for each class, the same on every run.

    Class 0 is black; the hues of the others are in steps of the golden ratio, which are well apart
    for any number of classes.
    """
    hues = ((index * _GOLDEN_RATIO) % 1.0 for index in range(num_classes - 1))
    colours = (colorsys.hsv_to_rgb(hue, 0.85, 1.0) for hue in hues)
    return [[0, 0, 0], *([round(255 * channel) for channel in colour] for colour in colours)]
