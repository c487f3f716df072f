"""A procedural powder bed: frames and masks of the five defects, drawn from a seed.

Appearance and sizes follow measurements on public photographs of powder beds; lengths scale with
the frame. Two things are unlike a machine on purpose: defects are far more frequent
(`schedule.COVERAGE`), and thin ones keep about 2 px at small sizes. Needs numpy and OpenCV only.
"""

from lwam_mm.datasets.synthetic.build import Build, draw_layer, make_build
from lwam_mm.datasets.synthetic.generate import GENERATOR_VERSION, generate_dataset

__all__ = ["GENERATOR_VERSION", "Build", "draw_layer", "generate_dataset", "make_build"]
