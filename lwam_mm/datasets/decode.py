"""Decodes images and masks for training and for the data set check, as the runtime does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.problem import Problem, error_for
from lwam_mm.runtime import decoding
from lwam_mm.runtime.decoding import Header, RefusedImageError


def read_bytes(path: Path) -> bytes:
    """Read a whole file; raise a ``DatasetError`` if it cannot be read or is empty."""
    with _refusals_of(path, "image mode"):
        return decoding.read_file(path)


def load_image(path: Path, white_level: int | None = None) -> np.ndarray:
    """Read and decode an image; see :func:`decode_image`."""
    return decode_image(read_bytes(path), path, white_level)


def load_mask(path: Path, num_classes: int) -> np.ndarray:
    """Read and decode a mask; see :func:`decode_mask`."""
    return decode_mask(read_bytes(path), path, num_classes)


def decode_image(data: bytes, path: Path, white_level: int | None = None) -> np.ndarray:
    """Decode an image to ``(H, W, 3)`` uint8, BGR; see :func:`lwam_mm.runtime.read_image`.

    Raises:
        DatasetError: The runtime would refuse the file, or a tag turns it, which would leave its
            mask behind.
    """
    return decode_with_maximum(data, path, white_level)[0]


def decode_with_maximum(
    data: bytes, path: Path, white_level: int | None = None
) -> tuple[np.ndarray, int | None]:
    """Decode an image, and return its largest stored value if ``white_level`` matters, else None.

    It does not matter in files of 8 bits, and in those that declare their maximum.
    """
    with _refusals_of(path, "image mode"):
        header = decoding.read_header(data)
        _refuse_turned(header, path, "image mode", "its mask is not")
        pixels = decoding.read_pixels(data, header)
        undeclared = header.bits == 16 and header.maximum is None
        image = decoding.to_bgr(pixels, header, white_level)
        return image, int(pixels.max()) if undeclared else None


def decode_mask(data: bytes, path: Path, num_classes: int) -> np.ndarray:
    """Decode a mask of class indices to ``(H, W)`` uint8.

    Raises:
        DatasetError: The file is truncated or no image, holds colours, palette entries or packed
            bits instead of indices, may be stored with loss, is turned by a tag, or holds a value
            that is neither in ``0 .. num_classes - 1`` nor 255 (ignore).
    """
    with _refusals_of(path, "mask mode"):
        header = decoding.read_header(data)
        _refuse_mask(header, path)
        _refuse_turned(header, path, "mask mode", "its image is not")
        mask = decoding.read_pixels(data, header)
    check_mask_values(mask, path, num_classes)
    return mask.astype(np.uint8)


def check_mask_values(mask: np.ndarray, path: Path, num_classes: int) -> None:
    """Refuse values that are neither a class nor 255."""
    counts = np.bincount(mask.ravel(), minlength=256)
    values = [v for v in np.flatnonzero(counts) if v >= num_classes and v != IGNORE_INDEX]
    if not values:
        return
    listed = ", ".join(f"{value} ({counts[value]} pixels)" for value in values[:5])
    more = f" and {len(values) - 5} more values" if len(values) > 5 else ""
    allowed = f"0..{num_classes - 1} and {IGNORE_INDEX} (ignore)"
    found = f"mask value {listed}{more}; allowed are {allowed}."
    remedy = (
        "redraw these pixels with an allowed value, or name the missing classes "
        "(metainfo=dict(classes=...) in the config, --classes in the check)."
    )
    raise error_for(Problem("mask value", path, found, remedy))


def check_same_size(
    image_size: tuple[int, int], mask_size: tuple[int, int], image: Path, mask: Path
) -> None:
    """Refuse a mask whose ``(height, width)`` is not that of its image."""
    if tuple(image_size) != tuple(mask_size):
        found = (
            f"is {mask_size[1]} x {mask_size[0]} px (width x height), "
            f"but its image {image} is {image_size[1]} x {image_size[0]} px."
        )
        remedy = "export the mask at the image's size (nearest neighbour), or pair the right files."
        raise error_for(Problem("size", mask, found, remedy))


def _refuse_mask(header: Header, path: Path) -> None:
    remedy = "draw it and save it as an 8-bit grey PNG."
    if header.colour == "palette":
        found = "is a palette image, whose readers disagree: some see indices, some colours."
        remedy = (
            "if its indices are the classes, save them plainly: "
            "Image.fromarray(numpy.array(Image.open(mask))).save(mask)."
        )
    elif header.colour == "RGB" or header.alpha:
        kind = header.colour + (" with alpha" if header.alpha else "")
        found = f"is a colour image ({kind}) instead of a mask of class indices."
        remedy = "turn each class's colour into its index and save one 8-bit grey channel."
    elif header.lossy:
        found = f"is a {header.container} file, whose lossy compression blurs class indices."
    elif header.bits < 8:
        found = f"has {header.bits}-bit pixels, which readers stretch to 0..255."
    elif header.inverted:
        found = "is stored inverted (0 is white), so its indices are ambiguous."
    else:
        return
    raise error_for(Problem("mask mode", path, found, remedy))


def _refuse_turned(header: Header, path: Path, kind: str, other: str) -> None:
    if header.orientation > 1:
        found = f"is stored turned (EXIF orientation {header.orientation}); {other}."
        remedy = "save it upright without the tag, and check that image and mask fit."
        raise error_for(Problem(kind, path, found, remedy))


@contextmanager
def _refusals_of(path: Path, mode: str) -> Iterator[None]:
    """Raise what the decoder refuses as a `DatasetError`; an odd kind of pixel is a ``mode``."""
    try:
        yield
    except RefusedImageError as error:
        kind = mode if error.kind == "mode" else error.kind
        problem = Problem(kind, path, f"{error.found}.", f"{error.remedy}.")
        raise error_for(problem) from error
