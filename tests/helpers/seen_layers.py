"""Layers as the monitor's decider sees them, in a line each."""

from lwam_mm.monitor.decide.decision import SeenLayer
from lwam_mm.monitor.measure.region import Region


def spot(area, x=100, y=100, name="Super", **more):
    """A region of so many px whose box is 10 px wide and high."""
    return Region(name, area, x, y, 10, 10, x + 5, y + 5, **more)


def seen(*layers, first=1):
    """One layer after the other: each a tuple of regions, a single one, or None."""
    return [
        SeenLayer(first + at, (layer,) if isinstance(layer, Region) else layer)
        for at, layer in enumerate(layers)
    ]
