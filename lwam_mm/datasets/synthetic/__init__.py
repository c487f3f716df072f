"""A synthetic powder bed: frames with all five defects and their masks, drawn from a seed.

Appearance and sizes follow measurements on public photographs of powder beds; lengths scale with
the frame. On purpose, defects are far more frequent than in a real build, and thin ones stay about
2 px wide in small frames.
"""

from lwam_mm.datasets.synthetic.build import Build, draw_layer, make_build
from lwam_mm.datasets.synthetic.generate import GENERATOR_VERSION, generate_dataset

__all__ = ["GENERATOR_VERSION", "Build", "draw_layer", "generate_dataset", "make_build"]
