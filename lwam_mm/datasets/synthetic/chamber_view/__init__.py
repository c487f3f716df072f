"""Layers as a camera in the process chamber sees them, varied far beyond the demo's.

Around the layers of :mod:`lwam_mm.datasets.synthetic` this draws what real frames have besides
powder: chamber walls, plate edge, reflections, stains, exposure steps, outlines of parts that shine
through, spatter, blur, vignetting, JPEG artefacts. A camera looks askew at all of it.
"""

from lwam_mm.datasets.synthetic.chamber_view.view import ChamberView

__all__ = ["ChamberView"]
