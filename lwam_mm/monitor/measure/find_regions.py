"""Finds the regions of each class in a layer's mask."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from lwam_mm.monitor.measure.background import Background
from lwam_mm.monitor.measure.parts import PartMap
from lwam_mm.monitor.measure.plate import Plate
from lwam_mm.monitor.measure.region import Region
from lwam_mm.runtime.errors import SettingError

_BACKGROUND = 128


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
    if len(classes) > _BACKGROUND:
        raise SettingError(
            f"there are {len(classes)} classes: at most {_BACKGROUND} can be told apart"
        )
    order = {name: label for label, name in enumerate(classes)}
    codes = _codes(labels, roi, background, len(classes))
    regions, gaps = [], []
    for x, y, inside, code in _components(codes, least_px):
        label = code % _BACKGROUND
        region, gap = _region(classes[label], x, y, inside, probabilities, parts, label)
        regions.append(replace(region, background=True) if code >= _BACKGROUND else region)
        gaps.append(gap)
    if plate is not None and regions:
        regions = _on_plate(regions, gaps, plate)
    return sorted(regions, key=lambda region: (order[region.class_name], region.y, region.x))


def _codes(
    labels: np.ndarray, roi: np.ndarray | None, background: Background | None, classes: int
) -> np.ndarray:
    """Return what must not be mixed in a region: the label, plus 128 on its background."""
    codes = labels.copy() if roi is None else labels * roi.view(np.uint8)
    for label in range(1, classes if background is not None else 0):
        place = None if background is None else background.place(label)
        _check_size("the background", place, labels.shape)
        if place is not None:
            stands = cv2.bitwise_and(cv2.inRange(codes, label, label), place)
            codes += np.asarray(stands) & np.uint8(_BACKGROUND)
    return codes


def _components(codes: np.ndarray, least_px: int) -> Iterator[tuple[int, int, np.ndarray, int]]:
    """Yield left and upper edge, pixels within the bounding box (bool) and code of each region."""
    # One pass for all classes: numbering the pixels takes longer than all the rest. Where regions
    # of several classes touch, they are separated afterwards.
    for x, y, inside in _connected(cv2.threshold(codes, 0, 255, cv2.THRESH_BINARY)[1], least_px):
        height, width = inside.shape
        window = codes[y : y + height, x : x + width]
        values = window[inside]
        if (values == values[0]).all():
            yield x, y, inside, int(values[0])
            continue
        for code in np.unique(values):
            alone = (inside & (window == code)).astype(np.uint8)
            for left, top, part in _connected(alone, least_px):
                yield x + left, y + top, part, int(code)


def _connected(mask: np.ndarray, least_px: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield left and upper edge and pixels within the bounding box of what is connected."""
    left, top, width, height = cv2.boundingRect(mask)
    if width == 0:  # OpenCV ends the process if it is to number the regions of nothing
        return
    window = mask[top : top + height, left : left + width]
    # Numbers of 16 bits are found five times as quickly, but there may be more regions than that.
    few = cv2.countNonZero(window) < 2**16 or cv2.connectedComponents(window)[0] < 2**16
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(
        window, connectivity=8, ltype=cv2.CV_16U if few else cv2.CV_32S
    )
    for number in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= least_px) + 1:
        x, y, w, h = (int(value) for value in stats[number, :4])
        yield left + x, top + y, numbers[y : y + h, x : x + w] == number


def _region(
    name: str,
    x: int,
    y: int,
    inside: np.ndarray,
    probabilities: np.ndarray | None,
    parts: PartMap | None,
    label: int,
) -> tuple[Region, float | None]:
    """Return a region without its place on the plate, and its distance to a part in px."""
    height, width = inside.shape
    window = (slice(y, y + height), slice(x, x + width))
    rows, columns = inside.sum(axis=1), inside.sum(axis=0)
    area = int(rows.sum())
    probability = None
    if probabilities is not None:
        mean = float(probabilities[label][window][inside].mean(dtype=np.float64))
        probability = min(max(mean, 0.0), 1.0)
    part, gap = (None, None) if parts is None else parts.nearest(window, inside)
    region = Region(
        class_name=name,
        area_px=area,
        x=x,
        y=y,
        width=width,
        height=height,
        centre_x=x + float(columns @ np.arange(width)) / area,
        centre_y=y + float(rows @ np.arange(height)) / area,
        mean_probability=probability,
        part_id=part,
        part_distance_mm=0.0 if gap == 0 else None,
    )
    return region, gap


def _on_plate(regions: list[Region], gaps: list[float | None], plate: Plate) -> list[Region]:
    """Add places, areas and, of the distances to parts in px, those in mm."""
    centres = np.array([(region.centre_x, region.centre_y) for region in regions])
    places = plate.to_mm(centres)
    sizes = plate.mm2_per_px(centres)
    return [
        replace(
            region,
            area_mm2=region.area_px * float(size),
            plate_x_mm=float(place[0]),
            plate_y_mm=float(place[1]),
            part_distance_mm=None if gap is None else gap * math.sqrt(size),
        )
        for region, gap, place, size in zip(regions, gaps, places, sizes, strict=True)
    ]


def _check_size(name: str, array: np.ndarray | None, size: tuple[int, ...]) -> None:
    if array is not None and array.shape != size:
        raise SettingError(
            f"{name} has the shape {array.shape}, but the mask {size}: make it for this camera's "
            "frames"
        )
