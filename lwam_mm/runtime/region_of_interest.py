"""The part of a camera's frames that counts: the powder bed, without walls and plate edge."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lwam_mm.runtime.errors import ImageError, SettingError
from lwam_mm.runtime.images import read_image

Polygon: TypeAlias = Sequence[Sequence[float]]


class RegionOfInterest:
    """A polygon, several of them, or a mask, in pixels of the camera's frames.

    Args:
        source: A polygon of three or more points (x, y) in pixels, x to the right and y downwards
            from the frame's upper left corner; or a JSON file with a list of such polygons, of
            which the region is the union; or an image file, in which all that is not black is
            inside.

    Raises:
        SettingError: It is no polygon, or the JSON file cannot be read or holds something else.
        ImageError: The image cannot be read, or it is black all over.

    Example:
        >>> region = RegionOfInterest([(1, 1), (3, 1), (3, 2), (1, 2)])
        >>> region.inside((4, 5)).astype(int)
        array([[0, 0, 0, 0, 0],
               [0, 1, 1, 1, 0],
               [0, 1, 1, 1, 0],
               [0, 0, 0, 0, 0]])
    """

    def __init__(self, source: str | Path | Polygon) -> None:
        self._name = str(source) if isinstance(source, str | Path) else "region of interest"
        self._polygons: list[NDArray[np.float64]] = []
        self._inside: NDArray[np.bool_] | None = None
        self._is_mask = False
        if not isinstance(source, str | Path):
            self._polygons = [self._polygon(source)]
        elif Path(source).suffix.lower() == ".json":
            self._polygons = [self._polygon(points) for points in self._read_json(Path(source))]
        else:
            self._is_mask = True
            self._inside = np.asarray(read_image(source).max(axis=2) > 0)
            if not self._inside.any():
                raise ImageError(f"{source} is black all over: paint the powder bed white")

    def inside(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Tell which pixels of a frame are inside; those on a polygon's edge are.

        Args:
            size: Height and width of the frame.

        Returns:
            (H, W); it is shared, do not write to it.

        Raises:
            SettingError: The mask has another size, or a point is outside the frame.
        """
        if self._inside is None or (self._inside.shape != size and not self._is_mask):
            self._inside = self._draw(*size)
        if self._inside.shape != size:
            height, width = self._inside.shape
            raise SettingError(
                f"{self._name} has {width}x{height} pixels, the frame {size[1]}x{size[0]}: draw "
                "the region of interest on a frame of this camera"
            )
        return self._inside

    def sha256(self) -> str:
        """Return a hash of the polygons or the mask."""
        inside = self._inside if self._is_mask else None
        parts = [*self._polygons] if inside is None else [inside]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(f"{part.shape}".encode() + part.tobytes())
        return digest.hexdigest()

    def _draw(self, height: int, width: int) -> NDArray[np.bool_]:
        drawn = np.zeros((height, width), np.uint8)
        for polygon in self._polygons:
            outside = (polygon < 0).any(axis=1) | (polygon > (width, height)).any(axis=1)
            if outside.any():
                x, y = polygon[outside.argmax()]
                raise SettingError(
                    f"{self._name}: the point ({x:g}, {y:g}) is outside the frame of "
                    f"{width}x{height} pixels: give pixels of this camera's frames"
                )
            cv2.fillPoly(drawn, [np.rint(polygon).astype(np.int32)], [1])
        return drawn.astype(bool)

    def _polygon(self, points: object) -> NDArray[np.float64]:
        try:
            polygon = np.array(points, np.float64)
        except (TypeError, ValueError):
            polygon = np.empty(0)
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3:
            raise SettingError(
                f"{self._name}: {points!r} is no polygon: give three or more points [x, y]"
            )
        if not np.isfinite(polygon).all():
            raise SettingError(f"{self._name}: {points!r}: a point is not finite")
        return polygon

    def _read_json(self, path: Path) -> list[object]:
        try:
            polygons = json.loads(path.read_text("utf-8"))
        except OSError as error:
            raise SettingError(
                f"{path} cannot be read ({error.strerror}): name a JSON file of polygons, or a "
                "mask image, as the region of interest"
            ) from error
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise SettingError(f"{path} is no JSON file: {error}") from error
        if not isinstance(polygons, list) or not polygons:
            raise SettingError(
                f"{path} holds no polygon: write a list of polygons, such as "
                "[[[10, 10], [500, 10], [500, 400]]]"
            )
        return polygons
