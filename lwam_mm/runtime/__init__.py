"""The runtime side: reads a bundle and segments images, without torch and OpenMMLab.

The inference engine is imported only when a bundle needs it. `Predictor` is the way in.
"""

from lwam_mm.utils.opencv import check_opencv

check_opencv()  # first, because the modules below import OpenCV

from lwam_mm.runtime.bundle import Bundle, read_bundle, write_bundle
from lwam_mm.runtime.errors import BundleError, EngineError, ImageError, OutputError, SettingError
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
    "OutputError",
    "OutputSpec",
    "Prediction",
    "Predictor",
    "SettingError",
    "draw_overlay",
    "read_bundle",
    "read_image",
    "write_bundle",
]
