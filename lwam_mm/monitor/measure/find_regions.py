"""Finds the regions of each class in a layer's mask."""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from lwam_mm.monitor.measure.background import Background
from lwam_mm.monitor.measure.parts import PartMap
from lwam_mm.monitor.measure.plate import Plate
from lwam_mm.monitor.measure.region import Region
from lwam_mm.runtime.errors import SettingError


def find_regions(
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    roi: np.ndarray | None = None,
    probabilities: np.ndarray | None = None,
    plate: Plate | None = None,
    parts: PartMap | None = None,
    background: Background | None = None,
    least_px: int = 1,
) -> list[Region]:
    """Find the regions of every class but the first, which is the background.

    Args:
        labels: uint8 of shape (H, W): each pixel's class.
        classes: The classes' names; the position is the label.
        roi: bool of shape (H, W), True where the frame counts; None: everywhere.
        probabilities: float32 of shape (C, H, W), 0..1.
        plate: Where the pixels are on the plate.
        parts: The layer's parts.
        background: What stands there since the first layers. Pixels on it and pixels beside it are
            regions of their own, so that growth is told apart.
        least_px: Smaller regions are noise, and left out.

    Returns:
        The regions by class, then from top to bottom. Pixels that touch at a corner are connected.

    Raises:
        SettingError: An array has another size than ``labels``.

    Example:
        >>> labels = np.array([[0, 1, 1, 0], [0, 0, 0, 2]], np.uint8)
        >>> for region in find_regions(labels, ["Background", "Super", "Streaking"]):
        ...     print(region.class_name, region.area_px, region.centre_x, region.centre_y)
        Super 2 1.5 0.0
        Streaking 1 3.0 1.0
    """
    _check_size("the region of interest", roi, labels.shape)
    _check_size(
        "the probabilities", None if probabilities is None else probabilities[0], labels.shape
    )
    _check_size("the mask of parts", None if parts is None else parts.parts, labels.shape)
    counted = labels if roi is None else np.where(roi, labels, np.uint8(0))
    # One pass tells which classes occur; most layers have none.
    occurs = cv2.calcHist([counted], [0], None, [256], [0, 256]).ravel() > 0
    regions: list[Region] = []
    for label, name in enumerate(classes):
        if label == 0 or not occurs[label]:
            continue
        found = cv2.inRange(counted, label, label)
        details = (None if probabilities is None else probabilities[label], parts, plate, least_px)
        place = None if background is None else background.place(label)
        _check_size("the background", place, labels.shape)
        if place is None:
            regions += _regions_of(found, name, *details)
            continue
        regions += _regions_of(np.where(place, np.uint8(0), found), name, *details)
        old = _regions_of(np.where(place, found, np.uint8(0)), name, *details)
        regions += [replace(region, background=True) for region in old]
    return _on_plate(regions, plate)


def _regions_of(
    found: np.ndarray,
    name: str,
    probability: np.ndarray | None,
    parts: PartMap | None,
    plate: Plate | None,
    least_px: int,
) -> list[Region]:
    # Outside of the class's bounding box there is nothing to number.
    left, top, width, height = cv2.boundingRect(found)
    if width == 0:  # OpenCV ends the process if it is to number the regions of nothing
        return []
    window = (slice(top, top + height), slice(left, left + width))
    count, numbers, stats, centres = cv2.connectedComponentsWithStats(found[window], connectivity=8)
    regions = []
    for number in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[number])
        if area < least_px:
            continue
        region = Region(
            class_name=name,
            area_px=area,
            x=left + x,
            y=top + y,
            width=w,
            height=h,
            centre_x=left + float(centres[number, 0]),
            centre_y=top + float(centres[number, 1]),
        )
        if probability is not None or parts is not None:
            inside = numbers[y : y + h, x : x + w] == number
            region = _with_pixels(region, inside, probability, parts, plate)
        regions.append(region)
    return regions


def _with_pixels(
    region: Region,
    inside: np.ndarray,
    probability: np.ndarray | None,
    parts: PartMap | None,
    plate: Plate | None,
) -> Region:
    """Add what only the region's own pixels tell: its mean probability and its part."""
    if probability is not None:
        box = probability[region.y : region.y + region.height, region.x : region.x + region.width]
        mean = float(box[inside].mean(dtype=np.float64))
        region = replace(region, mean_probability=min(max(mean, 0.0), 1.0))
    if parts is not None and not parts.empty:
        rows, columns = np.nonzero(inside)
        part, distance = parts.nearest(rows + region.y, columns + region.x)
        mm = 0.0 if distance == 0 else None
        if plate is not None:
            centre = [(region.centre_x, region.centre_y)]
            mm = distance * math.sqrt(float(plate.mm2_per_px(centre)[0]))
        region = replace(region, part_id=part, part_distance_mm=mm)
    return region


def _on_plate(regions: list[Region], plate: Plate | None) -> list[Region]:
    if plate is None or not regions:
        return regions
    centres = np.array([(region.centre_x, region.centre_y) for region in regions])
    places = plate.to_mm(centres)
    sizes = plate.mm2_per_px(centres)
    return [
        replace(
            region,
            area_mm2=region.area_px * float(size),
            plate_x_mm=float(place[0]),
            plate_y_mm=float(place[1]),
        )
        for region, place, size in zip(regions, places, sizes, strict=True)
    ]


def _check_size(name: str, array: np.ndarray | None, size: tuple[int, ...]) -> None:
    if array is not None and array.shape != size:
        raise SettingError(
            f"{name} has the shape {array.shape}, but the mask {size}: make it for this camera's "
            "frames"
        )
