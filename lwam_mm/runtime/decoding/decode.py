"""Decodes image files: the header by the parsers here, the pixels by OpenCV."""

import os
import struct
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from lwam_mm.runtime.decoding import bmp, jpeg, jpeg2000, png, pnm, tiff, webp
from lwam_mm.runtime.decoding.header import (
    SAVE_AS_PNG,
    Header,
    RefusedImageError,
    truncated,
    unsupported,
)

_READERS = (
    (png.SIGNATURE, "PNG", png.read_png),
    (jpeg.SIGNATURE, "JPEG", jpeg.read_jpeg),
    (tiff.SIGNATURES, "TIFF", tiff.read_tiff),
    (jpeg2000.SIGNATURES, "JPEG 2000", jpeg2000.read_jpeg2000),
    (b"BM", "BMP", bmp.read_bmp),
    (pnm.SIGNATURES, "PNM", pnm.read_pnm),
    (b"WEBP", "WebP", webp.read_webp),  # after b"RIFF" and a length
)
# OpenCV's own limits; environment variables such as OPENCV_IO_MAX_IMAGE_PIXELS change them.
_LIMITS = {"WIDTH": 1 << 20, "HEIGHT": 1 << 20, "PIXELS": 1 << 30}
# So many zeros at the end, in whole rows, are a broken copy.
_ZERO_ROWS, _ZERO_PIXELS = 2, 64
# OpenCV 5 moved its log functions into a separate module.
_LOGGING = getattr(cv2.utils, "logging", cv2)
_LOG_SILENT = 0


def read_file(path: Path) -> bytes:
    """Read a whole file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise RefusedImageError("does not exist", "check the path") from error
    except IsADirectoryError as error:
        raise RefusedImageError("is a folder", "give an image file") from error
    except MemoryError as error:
        raise RefusedImageError("is larger than the memory", "give an image file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RefusedImageError(f"cannot be read ({reason})") from error
    if not data:
        raise RefusedImageError("is empty (0 bytes)")
    return data


def read_header(data: bytes) -> Header:
    """Read what a file says about its pixels.

    Raises:
        RefusedImageError: It is no image, cut off, of several pages, too large, or of a kind that
            is not read.
    """
    header = _parse(data)
    if header.pages > 1:
        raise unsupported(f"has {header.pages} pages", "split it into files of one page")
    if min(header.width, header.height) < 1:
        raise truncated(header.container, f"it has {header.width} x {header.height} pixels")
    sizes = (header.width, header.height, header.width * header.height)
    for (name, limit), size in zip(_LIMITS.items(), sizes, strict=True):
        variable = f"OPENCV_IO_MAX_IMAGE_{name}"
        chosen = os.environ.get(variable, "")
        if size > (int(chosen) if chosen.isdigit() else limit):
            raise unsupported(
                f"has {header.width} x {header.height} pixels, more than OpenCV's limit "
                f"({name.lower()}: {chosen or limit})",
                f"split it, or set the environment variable {variable}={size} before the start",
            )
    return header


def read_pixels(data: bytes, header: Header) -> np.ndarray:
    """Decode the samples as they are stored: neither scaled nor turned, without alpha.

    Returns:
        uint8, or uint16 for 16 bits, of shape (H, W) for grey, else (H, W, 3), BGR. Grey of 1, 2
        or 4 bits is stretched to 0..255, except in a PNM; 0 is black.
    """
    if header.container == "PNM":
        return pnm.pnm_pixels(data, header)
    source: bytes | bytearray = data
    if header.patches:
        source = bytearray(data)
        for place, value in header.patches:
            source[place : place + len(value)] = value
    level = _LOGGING.getLogLevel()
    _LOGGING.setLogLevel(_LOG_SILENT)  # the error says what there is to say
    try:
        # IMREAD_UNCHANGED alone keeps alpha apart and leaves the orientation to `to_bgr`.
        pixels = cv2.imdecode(np.frombuffer(source, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        reason = getattr(error, "err", None) or error
        raise RefusedImageError(f"cannot be decoded ({reason})", SAVE_AS_PNG) from error
    finally:
        _LOGGING.setLogLevel(level)
    if pixels is None:
        raise RefusedImageError(
            f"is a damaged or truncated {header.container}, or of a kind that OpenCV cannot read",
            f"copy or record it again, or {SAVE_AS_PNG}",
        )
    if (
        pixels.shape[:2] != (header.height, header.width)
        or pixels.dtype != (np.uint16 if header.bits == 16 else np.uint8)
        or (pixels.ndim == 2 and header.colour == "RGB")
    ):
        raise unsupported(f"is a {header.container} that OpenCV decodes as something else")
    if header.ends_in_zeros and (pixels[-1] != pixels[-1, 0]).any():
        # Sound files end in zeros only where their last rows are flat.
        raise truncated(header.container, "its picture ends in zeros")
    if pixels.ndim == 3 and header.colour == "grey":
        pixels = pixels[:, :, 0]
    elif pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR)
    return np.bitwise_not(pixels) if header.inverted else pixels


def to_bgr(pixels: np.ndarray, header: Header, white_level: int | None = None) -> np.ndarray:
    """Turn stored samples into what a network sees: uint8 of shape (H, W, 3), BGR, upright.

    The 16-bit value ``white_level`` becomes 255 where the file declares no maximum; None is 65535.

    Raises:
        RefusedImageError: A value is above the white level, or an uncompressed file ends in zeros.
    """
    if header.uncompressed:
        _refuse_zero_fill(pixels, header)
    if header.maximum is not None:
        pixels = to_8bit(pixels, header.maximum)
    elif header.bits == 16:
        pixels = to_8bit(pixels, 65535 if white_level is None else white_level)
    pixels = _upright(pixels, header.orientation)
    if pixels.ndim == 2:
        return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(pixels)


def to_8bit(image: np.ndarray, white_level: int = 65535) -> np.ndarray:
    """Scale to 8 bits: round(v * 255 / white_level), so the white level becomes 255.

    Args:
        image: uint8 or uint16 of any shape.
        white_level: 1..65535, the largest value that the camera can give: 4095 for 12 bits.

    Raises:
        RefusedImageError: A value is above the white level.
        ValueError: There is no such white level.
    """
    if not 1 <= white_level <= 65535:
        raise ValueError(f"white_level is {white_level}: give a value of 1..65535, such as 4095")
    top = int(image.max(initial=0))
    if top > white_level:
        raise RefusedImageError(
            f"has a value of {top}, above the white level {white_level}",
            "set white_level to the largest value that the camera can give, or leave it out",
            "white level",
        )
    scaled: np.ndarray = _scale(white_level)[image]
    return scaled


@lru_cache(maxsize=4)
def _scale(white_level: int) -> np.ndarray:
    return np.rint(np.arange(white_level + 1) * 255 / white_level).astype(np.uint8)


def _parse(data: bytes) -> Header:
    start = data[8:12] if data.startswith(b"RIFF") else data[:12]
    for signature, name, read in _READERS:
        if start.startswith(signature):
            try:
                return read(data)
            except (struct.error, IndexError, StopIteration) as error:
                raise truncated(name, "its header is incomplete") from error
    raise RefusedImageError(
        "is not in an image format that is read (PNG, JPEG, TIFF, BMP, PNM, WebP, JPEG 2000)",
        f"copy it again, or {SAVE_AS_PNG}",
    )


def _refuse_zero_fill(pixels: np.ndarray, header: Header) -> None:
    """Refuse an uncompressed picture whose last stored rows are zeros, as a broken copy leaves it.

    A camera has noise, so that rows of exact zeros hardly occur in a sound file. Read as black,
    the missing part would be called free of defects.
    """
    zero = np.iinfo(pixels.dtype).max if header.inverted else 0
    rows = max(_ZERO_ROWS, -(-_ZERO_PIXELS // header.width))
    last = pixels[:rows] if header.bottom_up else pixels[-rows:]
    if (last == zero).all() and (pixels != zero).any():
        raise RefusedImageError(
            f"ends in zeros, as after a copy that broke off; an uncompressed {header.container} "
            "cannot tell them from black",
            "copy it again; if these rows are black, save it as PNG, which has checksums",
        )


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    if orientation >= 5:  # rows and columns are swapped
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
