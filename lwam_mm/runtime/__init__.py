"""The runtime side: reads a bundle and segments images, beside the machine.

It needs numpy, OpenCV and the one inference engine that the bundle names; it never imports torch
or OpenMMLab, and the engine itself only when a bundle asks for it.

Example:
    >>> from lwam_mm.runtime import Predictor# doctest: +SKIP
    >>> predictor = Predictor("work_dirs/bundle")  # doctest: +SKIP
    >>> predictor("layer_0001.png").pixels  # doctest: +SKIP
    {'Background': 1040131, 'Super': 0, 'Incomplete': 8445, ...}
"""

from lwam_mm.runtime.bundle import Bundle, read_bundle, write_bundle
from lwam_mm.runtime.errors import BundleError, EngineError, ImageError
from lwam_mm.runtime.images import read_image
from lwam_mm.runtime.manifest import InputSpec, Manifest, OutputSpec
from lwam_mm.runtime.overlay import draw_overlay
from lwam_mm.runtime.predictor import Prediction, Predictor

__all__ = [
    "Bundle",
    "BundleError",
    "EngineError",
    "ImageError",
    "InputSpec",
    "Manifest",
    "OutputSpec",
    "Prediction",
    "Predictor",
    "draw_overlay",
    "read_bundle",
    "read_image",
    "write_bundle",
]
