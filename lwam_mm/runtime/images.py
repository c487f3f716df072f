"""Reads images as the network was taught to see them: uint8, BGR, upright."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from lwam_mm.runtime.errors import ImageError

# Suffixes taken from a folder; a file that is named itself may have any suffix.
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".jpeg", ".jpg", ".jp2", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)

# OpenCV 5 moved its log functions into a module of their own.
_LOGGING = getattr(cv2.utils, "logging", cv2)
_LOG_SILENT = 0

_JPEG_START = b"\xff\xd8\xff"
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file.

    Grey becomes three equal channels, alpha is dropped, 16 bit becomes 8 bit by `to_8bit`, and an
    EXIF orientation is applied.

    A half-written file is refused, where its format can tell: a JPEG needs its end marker (OpenCV
    would fill the rest with grey), PNG and TIFF have checks of their own. BMP has none, so one
    whose tail was overwritten by zeros is read as it stands.

    Args:
        path: The file, in any format that OpenCV reads.

    Returns:
        uint8 of shape (H, W, 3), BGR.

    Raises:
        ImageError: The file is missing, empty, no image, truncated, of several pages, or its
            pixels are neither 8 nor 16 bit.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist: check the path") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a folder: give an image file") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read: {error}") from error
    if not data:
        raise ImageError(f"{path} is empty (0 bytes): copy or record it again")
    if data.startswith(_JPEG_START) and not jpeg_is_complete(data):
        raise ImageError(
            f"{path} is a truncated JPEG, its end is missing after {len(data)} bytes: copy or "
            "record it again"
        )
    image = _decode(path, data)
    if image.dtype == np.uint16:
        return to_8bit(image)
    if image.dtype != np.uint8:
        raise ImageError(f"{path} has {image.dtype} pixels: save it with 8 or 16 bit a channel")
    return image


def to_8bit(image: np.ndarray) -> np.ndarray:
    """Scale 16 bit to 8 bit: divide by 257 and round, so 0 stays 0 and 65535 becomes 255.

    The whole 16-bit range is mapped, whatever of it is used: a 12-bit camera that leaves the upper
    four bits empty gives dark images and should be set to fill them.

    Args:
        image: uint16 of any shape.

    Returns:
        uint8 of the same shape.
    """
    return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def check_array(image: np.ndarray) -> np.ndarray:
    """Check an image that comes as an array, and bring it to three channels.

    Args:
        image: uint8 of shape (H, W), grey, or (H, W, 3), BGR; at least one pixel.

    Returns:
        uint8 of shape (H, W, 3), BGR, contiguous.

    Raises:
        ImageError: It is no such array.
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


def jpeg_is_complete(data: bytes) -> bool:
    """Tell whether a JPEG stream runs up to its end marker.

    The segments are walked by their lengths, so the end marker of a thumbnail inside one does not
    count, and neither do bytes that a camera appends behind the end.
    """
    position = 2
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            return False
        marker = data[position + 1]
        if marker == 0xD9:  # end of image
            return True
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # stuffed byte; without a length
            position += 2
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")


def _decode(path: Path, data: bytes) -> np.ndarray:
    # Not IMREAD_UNCHANGED: that would leave the EXIF orientation unapplied.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    with _quiet_opencv():
        try:
            if data.startswith(_TIFF_STARTS) and (pages := cv2.imcount(str(path))) > 1:
                raise ImageError(f"{path} has {pages} pages: split it into files of one page")
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error as error:
            raise ImageError(f"{path} cannot be decoded: {error.err or error}") from error
    if image is None or image.size == 0:
        raise ImageError(
            f"{path} is no image that OpenCV can read, or it is damaged or truncated: copy or "
            "record it again, or convert it to an 8- or 16-bit PNG"
        )
    return image


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own log off the terminal: the ImageError says what there is to say."""
    level = _LOGGING.getLogLevel()
    _LOGGING.setLogLevel(_LOG_SILENT)
    try:
        yield
    finally:
        _LOGGING.setLogLevel(level)
