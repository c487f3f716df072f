"""From pixels to the build plate, in millimetres."""

from collections.abc import Sequence

import cv2
import numpy as np

from lwam_mm.runtime.errors import SettingError


class Plate:
    """The homography from a camera's frame to the build plate.

    Plate coordinates follow ISO/ASTM 52921: x to the right and y to the back for someone who
    stands in front of the machine, the origin where the plate's own is. They come with the points:
    an image's y points down, so a camera that looks from the front has its y reversed.

    Args:
        image_points: Four or more points in the frame, (x, y) in px.
        plate_points: The same points on the plate, (x, y) in mm.

    Attributes:
        matrix: float64 of shape (3, 3): px to mm.
        residual_mm: Largest distance between a point and where the homography puts it, mm. None
            for four points, which always fit exactly, so nothing is known about the error.

    Raises:
        SettingError: There are fewer than four points, not as many of both kinds, or three of four
            lie on a line.

    Example:
        >>> corners = [(0, 0), (100, 0), (100, 100), (0, 100)]
        >>> plate = Plate(corners, [(0, 10), (10, 10), (10, 0), (0, 0)])
        >>> plate.to_mm([(50, 20)]).round(3).tolist()
        [[5.0, 8.0]]
        >>> plate.mm2_per_px([(50, 50)]).round(6).tolist()
        [0.01]
    """

    def __init__(
        self,
        image_points: Sequence[tuple[float, float]],
        plate_points: Sequence[tuple[float, float]],
    ) -> None:
        seen = np.asarray(image_points, np.float64).reshape(-1, 2)
        wanted = np.asarray(plate_points, np.float64).reshape(-1, 2)
        if len(seen) != len(wanted) or len(seen) < 4:
            raise SettingError(
                f"plate: {len(seen)} image points and {len(wanted)} plate points: give four or "
                "more pairs"
            )
        if not (np.isfinite(seen).all() and np.isfinite(wanted).all()):
            raise SettingError("plate: a point is not a finite number: give px and mm")
        if min(_spread(seen), _spread(wanted)) < 1e-3:
            raise SettingError(
                f"plate: the points {seen.tolist()} -> {wanted.tolist()} lie on a line: give the "
                "corners of an area"
            )
        matrix, _ = cv2.findHomography(seen, wanted, 0)
        if matrix is None or not np.isfinite(matrix).all():
            raise SettingError(f"plate: no homography fits the points {seen.tolist()}")
        self.matrix: np.ndarray = np.asarray(matrix, np.float64)
        scale = seen @ self.matrix[2, :2] + self.matrix[2, 2]
        # A horizon between the points, or a collapsed plane, means that points were mixed up.
        jacobian = np.linalg.det(self.matrix) / scale**3
        if (scale > 0).any() == (scale < 0).any() or (np.abs(jacobian) < 1e-12).any():
            raise SettingError(
                f"plate: the points {seen.tolist()} -> {wanted.tolist()} are no view of a plane: "
                "check their order"
            )
        errors = np.linalg.norm(self.to_mm(seen) - wanted, axis=1)
        self.residual_mm = float(errors.max()) if len(seen) > 4 else None

    def to_mm(self, points: Sequence[tuple[float, float]] | np.ndarray) -> np.ndarray:
        """Return the places on the plate, float64 (N, 2) in mm, of points (N, 2) in px."""
        found = self._homogeneous(points) @ self.matrix.T
        return np.asarray(found[:, :2] / found[:, 2:])

    def mm2_per_px(self, points: Sequence[tuple[float, float]] | np.ndarray) -> np.ndarray:
        """Return the area on the plate of one pixel at each point: float64 (N,), mm²."""
        scale = self._homogeneous(points) @ self.matrix[2]
        return np.asarray(np.abs(np.linalg.det(self.matrix) / scale**3))

    @staticmethod
    def _homogeneous(points: Sequence[tuple[float, float]] | np.ndarray) -> np.ndarray:
        flat = np.asarray(points, np.float64).reshape(-1, 2)
        return np.column_stack([flat, np.ones(len(flat))])


def _spread(points: np.ndarray) -> float:
    """Return how far the points are from a line: 0 on a line, 1 all around."""
    values = np.linalg.svd(points - points.mean(0), compute_uv=False)
    return float(values[1] / values[0]) if values[0] > 0 else 0.0
