"""The one decoder: what an image file says, and its pixels. Training reads through it as well.

Each container has a small parser that reads everything which changes what a pixel means, and
refuses what it does not know; OpenCV decodes the pixels.
"""

from lwam_mm.runtime.decoding.decode import read_file, read_header, read_pixels, to_8bit, to_bgr
from lwam_mm.runtime.decoding.header import Header, RefusedImageError

__all__ = [
    "Header",
    "RefusedImageError",
    "read_file",
    "read_header",
    "read_pixels",
    "to_8bit",
    "to_bgr",
]
