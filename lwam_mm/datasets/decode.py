"""Strict decoding of images and masks: what training loads is what the dataset check accepts.

Pillow decodes strictly; OpenCV, depending on its version, hands out the readable part of a
truncated file. OpenCV does the 16-bit colour files, which Pillow would cut to 8 bits.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.problem import DatasetError, Problem, error_for

_EXIF_ORIENTATION = 0x0112
_PNG_END = b"IEND\xaeB\x60\x82"
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_JPEG_FORMATS = ("JPEG", "MPO")
_GREY_MODES = ("1", "L", "LA", "La")
_COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX")
_READABLE = "copy the file again from its source, or remove the image and its mask."


def read_bytes(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        DatasetError: If the file cannot be read or is empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, f"cannot be read ({error.strerror or error}).") from error
    if not data:
        raise _unreadable(path, "is empty (0 bytes).")
    return data


def decode_image(data: bytes, path: Path) -> np.ndarray:
    """Decode an image to three 8-bit channels.

    Grey is repeated over the channels and an alpha channel is dropped. A 16-bit value ``v``
    becomes ``(v + 128) // 257``, that is ``v / 257`` rounded, so that 65535 becomes 255.

    Args:
        data: The file's content.
        path: The file's name, for messages.

    Returns:
        ``(H, W, 3)`` uint8, channels in the order blue, green, red.

    Raises:
        DatasetError: If the file is truncated or no image, if its pixels are neither grey nor
            colour of 8 or 16 bits, or if an EXIF tag turns it, which would leave its mask behind.
    """
    image, rawmode = _open(data, path)
    orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    if orientation not in (0, 1):
        found = f"is stored turned (EXIF orientation {orientation}); its mask is not."
        remedy = "save the image upright without the tag, and check that the mask fits."
        raise error_for(Problem("image mode", path, found, remedy))
    if "16" in rawmode:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.dtype != np.uint16:
            raise _image_mode(path, f"16-bit layout {rawmode!r}")
        return _three_channels(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode in _GREY_MODES:
        return _three_channels(np.asarray(image.convert("L")))
    if image.mode in _COLOUR_MODES:
        return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])
    raise _image_mode(path, f"pixel mode {image.mode!r}")


def decode_mask(data: bytes, path: Path, num_classes: int) -> np.ndarray:
    """Decode a mask of class indices.

    Args:
        data: The file's content.
        path: The file's name, for messages.
        num_classes: Allowed are the values ``0 .. num_classes - 1`` and 255 (ignore).

    Returns:
        ``(H, W)`` uint8.

    Raises:
        DatasetError: If the file is truncated or no image, holds colours, palette entries or
            packed bits where indices are due, was stored with loss, or holds another value.
    """
    image, rawmode = _open(data, path)
    if image.format in _JPEG_FORMATS:
        raise _mask_mode(path, "a JPEG, whose lossy compression blurs class indices", "PNG")
    if image.mode in ("P", "PA"):
        found = "is a palette image, whose readers disagree: some see indices, some colours."
        remedy = (
            "if its indices are the classes, save them plainly: "
            "Image.fromarray(numpy.array(Image.open(mask))).save(mask)."
        )
        raise error_for(Problem("mask mode", path, found, remedy))
    if image.mode in ("RGB", "RGBA", "RGBX", "RGBa", "LA", "La"):
        found = f"is a colour image ({image.mode}), but a mask of class indices is due."
        remedy = "turn each class's colour into its index and save one 8-bit grey channel."
        raise error_for(Problem("mask mode", path, found, remedy))
    if rawmode != "L" and not image.mode.startswith("I"):
        raise _mask_mode(path, f"{image.mode!r} pixels stored as {rawmode!r}", "8-bit grey PNG")
    mask = np.asarray(image)
    check_mask_values(mask, path, num_classes)
    return mask.astype(np.uint8)


def check_mask_values(mask: np.ndarray, path: Path, num_classes: int) -> None:
    """Refuse values that are neither a class nor 255.

    Args:
        mask: Integer array of any shape.
        path: The file's name, for messages.
        num_classes: How many classes there are.

    Raises:
        DatasetError: Names the values, their pixel counts and the allowed range.
    """
    if mask.dtype == np.uint8:
        counts = np.bincount(mask.ravel(), minlength=256)
        values = np.flatnonzero(counts)
        counts = counts[values]
    else:
        values, counts = np.unique(mask, return_counts=True)
    wrong = ((values < 0) | (values >= num_classes)) & (values != IGNORE_INDEX)
    if not wrong.any():
        return
    listed = [
        f"{v} ({n} pixels)" for v, n in zip(values[wrong][:5], counts[wrong][:5], strict=True)
    ]
    more = f" and {wrong.sum() - 5} more values" if wrong.sum() > 5 else ""
    allowed = f"0..{num_classes - 1} and {IGNORE_INDEX} (ignore)"
    found = f"mask value {', '.join(listed)}{more}; allowed are {allowed}."
    remedy = (
        "redraw these pixels with an allowed value, or name the missing classes "
        "(metainfo=dict(classes=...) in the config, --classes in the check)."
    )
    raise error_for(Problem("mask value", path, found, remedy))


def check_same_size(
    image_size: tuple[int, int], mask_size: tuple[int, int], image: Path, mask: Path
) -> None:
    """Refuse a mask that is not as large as its image.

    Args:
        image_size: ``(height, width)`` in pixels.
        mask_size: ``(height, width)`` in pixels.
        image: The image's name, for messages.
        mask: The mask's name, for messages.

    Raises:
        DatasetError: If the sizes differ.
    """
    if tuple(image_size) != tuple(mask_size):
        found = (
            f"is {mask_size[1]} x {mask_size[0]} px (width x height), "
            f"but its image {image} is {image_size[1]} x {image_size[0]} px."
        )
        remedy = "export the mask at the image's size (nearest neighbour), or pair the right files."
        raise error_for(Problem("size", mask, found, remedy))


def _open(data: bytes, path: Path) -> tuple[Image.Image, str]:
    """Open and decode; returns the image and the pixel layout in the file ("L;4", "RGB;16B")."""
    try:
        image = Image.open(io.BytesIO(data))
        # A few JPEGs hold a preview as a second picture; the pages of a TIFF are all alike.
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        args = image.tile[0].args if image.tile else ""
        image.load()
    # Pillow has a different exception for each way in which a file can be broken.
    except Exception as error:
        raise _unreadable(path, f"is no readable image ({_reason(error)}).") from error
    if _lacks_end(data, image.format):
        raise _unreadable(path, f"is truncated (a {image.format} without its end mark).")
    if pages > 1:
        remedy = "split it into files of one page."
        raise error_for(Problem("unreadable", path, f"holds {pages} pages.", remedy))
    rawmode = args[0] if isinstance(args, tuple) else args
    return image, str(rawmode)


def _lacks_end(data: bytes, format_name: str | None) -> bool:
    """Tell whether the end mark is missing, as when a copy broke off and zeros fill the rest.

    Pillow sees a JPEG or PNG cut short, but not one whose last bytes alone are gone, nor a JPEG
    filled up with zeros, which decode as grey.
    """
    if format_name == "PNG":
        return _PNG_END not in data
    if format_name in _JPEG_FORMATS:
        return data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN)
    return False


def _reason(error: Exception) -> str:
    # Pillow's text for an unknown file names a memory buffer, which helps nobody.
    if isinstance(error, Image.UnidentifiedImageError):
        return "not in an image format"
    return str(error) or type(error).__name__


def _three_channels(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(pixels[..., :3])


def _unreadable(path: Path, found: str) -> DatasetError:
    return error_for(Problem("unreadable", path, found, _READABLE))


def _image_mode(path: Path, what: str) -> DatasetError:
    remedy = "save it as grey or RGB with 8 or 16 bits a channel."
    return error_for(Problem("image mode", path, f"has the {what}.", remedy))


def _mask_mode(path: Path, what: str, wanted: str) -> DatasetError:
    found = f"is {what}, but a mask of class indices is due."
    return error_for(Problem("mask mode", path, found, f"draw and save it as {wanted}."))
