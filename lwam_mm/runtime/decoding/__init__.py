"""The one decoder, for training too: what an image file says, and its pixels.

A small parser for each container refuses what it does not know; OpenCV decodes the pixels.
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
