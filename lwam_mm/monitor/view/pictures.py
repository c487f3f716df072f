"""Pictures of a recorded layer: its frame, and its mask in colours."""

from __future__ import annotations

import json

import cv2
import numpy as np

from lwam_mm.monitor.record.classes import BuildClasses
from lwam_mm.monitor.record.store import Record
from lwam_mm.monitor.record.tables import Document, Layer
from lwam_mm.monitor.view.colours import class_colour, rgb
from lwam_mm.monitor.watch.source import read_recorded
from lwam_mm.runtime import ImageError, draw_overlay


class PictureGoneError(Exception):
    """A picture is no longer there, or no longer what was recorded; the message says which."""


def frame_of(record: Record, layer: Layer) -> np.ndarray:
    """Read the frame of a layer, as the model saw it.

    Returns:
        uint8 of shape (H, W, 3), BGR.

    Raises:
        PictureGoneError: The file is gone or changed, or the layer never had one.
    """
    if layer.path is None:
        raise PictureGoneError(f"layer {layer.number} is missing: there is no image of it")
    try:
        frame = read_recorded(layer.path, _white_level(record, layer))
    except ImageError as error:
        raise PictureGoneError(f"the image of layer {layer.number} is gone: {error}") from error
    if frame.sha256 != layer.image_sha256:
        raise PictureGoneError(
            f"{layer.path} is no longer the image that was recorded for layer {layer.number}"
        )
    return frame.pixels


def _white_level(record: Record, layer: Layer) -> int | None:
    with record.reading() as session:
        model = session.get(Document, layer.model_sha256)
    return None if model is None else json.loads(model.text)["input"].get("white_level")


def labels_of(record: Record, layer: Layer, classes: BuildClasses) -> np.ndarray:
    """Read the mask of a layer, whatever model made it.

    Returns:
        uint8 of shape (H, W), indices of the build's classes.

    Raises:
        PictureGoneError: There is none, or the file is gone.
    """
    if layer.mask_path is None:
        raise PictureGoneError(f"layer {layer.number} was not inspected: there is no mask of it")
    path = record.folder / layer.mask_path
    # OpenCV prints a warning about each file that is not there.
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if mask is None:
        raise PictureGoneError(f"{layer.mask_path} is gone from the record's folder")
    return classes.translate(mask, layer.model_sha256)


def frame_jpeg(record: Record, layer: Layer, longest: int) -> bytes:
    """Return the frame of a layer as JPEG, its longer side at most ``longest`` px.

    Raises:
        PictureGoneError: See `frame_of`.
    """
    return _encode(".jpg", _shrink(frame_of(record, layer), longest, cv2.INTER_AREA))


def mask_png(record: Record, layer: Layer, classes: BuildClasses, longest: int) -> bytes:
    """Return the mask of a layer in colours as PNG, transparent where there is no defect.

    Raises:
        PictureGoneError: See `labels_of`.
    """
    mask = _shrink_mask(labels_of(record, layer, classes), longest)
    colours = np.zeros((int(mask.max()) + 1, 4), np.uint8)
    for index in range(1, len(colours)):
        colours[index] = (*rgb(class_colour(index))[::-1], 255)
    return _encode(".png", colours[mask])


def overlay_jpeg(record: Record, layer: Layer, classes: BuildClasses, longest: int) -> bytes:
    """Return the frame with its mask drawn over it as JPEG.

    Raises:
        PictureGoneError: See `frame_of` and `labels_of`.
    """
    frame, mask = frame_of(record, layer), labels_of(record, layer, classes)
    palette = [(0, 0, 0), *(rgb(class_colour(index)) for index in range(1, int(mask.max()) + 1))]
    small = _shrink(frame, longest, cv2.INTER_AREA)
    return _encode(".jpg", draw_overlay(small, _shrink_mask(mask, longest), palette))


def _shrink(image: np.ndarray, longest: int, how: int) -> np.ndarray:
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=how)


def _shrink_mask(mask: np.ndarray, longest: int) -> np.ndarray:
    # A defect of a few pixels has to stay: of the pixels that become one, the highest class counts.
    factor = int(np.ceil(max(mask.shape) / longest))
    if factor > 1:
        mask = cv2.dilate(mask, np.ones((factor, factor), np.uint8))
    return _shrink(mask, longest, cv2.INTER_NEAREST)


def _encode(suffix: str, image: np.ndarray) -> bytes:
    done, data = cv2.imencode(suffix, image)
    if not done:
        raise PictureGoneError(f"an image of shape {image.shape} cannot be shown")
    return data.tobytes()
