"""Images as the network was taught to see them: uint8, BGR, upright."""

from pathlib import Path

import numpy as np

from lwam_mm.runtime import decoding
from lwam_mm.runtime.decoding import RefusedImageError, to_8bit
from lwam_mm.runtime.errors import ImageError

__all__ = ["IMAGE_SUFFIXES", "check_array", "read_image", "to_8bit"]

# Suffixes taken from a folder; a file that is named itself may have any suffix.
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".jpeg", ".jpg", ".jp2", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)


def read_image(path: str | Path, white_level: int | None = None) -> np.ndarray:
    """Read an image file.

    Training reads images by the same rules. Grey becomes three equal channels, alpha is dropped,
    16 bits become 8 (see ``lwam_mm.runtime.decoding.to_8bit``), a PNM is scaled by its own maximum,
    and an orientation tag is applied. Everything that is not understood is refused: unusual
    samples and colour spaces, premultiplied alpha, several pages, and files that are cut off or
    filled up with zeros. Only in uncompressed files (BMP, PNM, TIFF) zeros at the end pass for
    black pixels.

    Args:
        path: A PNG, JPEG, TIFF, BMP, PNM, WebP or JPEG 2000 file.
        white_level: The 16-bit value that becomes 255, such as 4095 for a 12-bit camera; 65535 if
            None. Files of 8 bits, and those that declare their maximum (PNM), ignore it.

    Returns:
        uint8 of shape (H, W, 3), BGR.

    Raises:
        ImageError: The file cannot be read, or has a value above the white level.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "layer.pgm"
        >>> size = path.write_bytes(b"P5 2 1 7 " + bytes([0, 7]))  # white is 7
        >>> read_image(path).tolist()
        [[[0, 0, 0], [255, 255, 255]]]
    """
    path = Path(path)
    try:
        data = decoding.read_file(path)
        header = decoding.read_header(data)
        return decoding.to_bgr(decoding.read_pixels(data, header), header, white_level)
    except RefusedImageError as error:
        raise ImageError(f"{path} {error.found}: {error.remedy}") from error


def check_array(image: np.ndarray) -> np.ndarray:
    """Check an image that comes as an array: uint8 of shape (H, W), grey, or (H, W, 3), BGR.

    Returns:
        uint8 of shape (H, W, 3), BGR, contiguous.

    Raises:
        ImageError: It is no such array, or it has no pixel.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(
            f"the image is a {type(image).__name__}: give a path or a numpy array of uint8"
        )
    if image.dtype != np.uint8:
        raise ImageError(
            f"the image has dtype {image.dtype}: give uint8 in 0..255 (uint16 goes through "
            "lwam_mm.runtime.images.to_8bit; floats have to be scaled, NaN has no meaning here)"
        )
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ImageError(f"the image has shape {image.shape}: give (H, W) grey or (H, W, 3) BGR")
    if image.size == 0:
        raise ImageError(f"the image has shape {image.shape}, no pixel: give at least one")
    if image.ndim == 2:
        return np.repeat(image[:, :, None], 3, axis=2)
    return np.ascontiguousarray(image)
