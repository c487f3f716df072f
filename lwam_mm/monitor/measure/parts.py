"""Which part a place belongs to, and how far it is from the nearest one."""

import cv2
import numpy as np

from lwam_mm.runtime.errors import SettingError


class PartNumbers:
    """Gives the parts of a layer's mask numbers that stay the same from layer to layer.

    A mask of 0 and one other value shows parts without their numbers. A part then keeps the number
    of the part that it lies on most in the last layer that had a mask; a new one gets the next
    number. A mask with several values but 0 holds the numbers itself.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._next = 1

    def number(self, mask: np.ndarray) -> np.ndarray:
        """Return each pixel's part.

        Args:
            mask: Integers of shape (H, W), 0 where there is no part.

        Returns:
            int32 of shape (H, W): the part's number, 1 or more, or 0.
        """
        values = np.flatnonzero(np.bincount(mask.ravel())) if mask.size else np.empty(0, np.int64)
        if np.count_nonzero(values) > 1:
            return mask.astype(np.int32)
        count, found = cv2.connectedComponents((mask > 0).astype(np.uint8), connectivity=8)
        names = np.zeros(count, np.int32)
        last = self._last
        if last is not None and last.shape == found.shape:
            both = (found > 0) & (last > 0)
            pairs, pixels = np.unique(
                np.stack([found[both], last[both]]), axis=1, return_counts=True
            )
            taken: set[int] = set()
            for index in np.argsort(-pixels, kind="stable"):
                part, name = int(pairs[0, index]), int(pairs[1, index])
                if not names[part] and name not in taken:
                    names[part] = name
                    taken.add(name)
        for part in range(1, count):
            if not names[part]:
                names[part] = self._next
                self._next += 1
        numbered: np.ndarray = names[found]
        if count > 1:  # a layer without a part does not make the numbers forgotten
            self._last = numbered
        return numbered


class PartMap:
    """The parts of one layer, and each place's distance to the nearest.

    Args:
        parts: Integers of shape (H, W): the part's number, or 0.

    Attributes:
        parts: The same.
        distance_px: float32 of shape (H, W): to the nearest part's pixel, 0 on a part.
    """

    def __init__(self, parts: np.ndarray) -> None:
        if parts.ndim != 2 or parts.dtype.kind not in "iu":
            raise SettingError(
                f"parts: a mask of shape {parts.shape} and type {parts.dtype}: give whole numbers "
                "of shape (height, width)"
            )
        self.parts = parts
        self.empty = not parts.any()
        free = (parts == 0).astype(np.uint8)
        self.distance_px, self._nearest = cv2.distanceTransformWithLabels(
            free, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        on_part = free == 0
        # OpenCV numbers the parts' pixels as it likes: keep, for each number, the part.
        self._part_of = np.zeros(int(self._nearest.max()) + 1, np.int64)
        self._part_of[self._nearest[on_part]] = parts[on_part]

    def nearest(self, rows: np.ndarray, columns: np.ndarray) -> tuple[int, float]:
        """Return the part nearest to these pixels, and its distance in px.

        On parts, the one with most of the pixels counts.
        """
        inside = self.parts[rows, columns]
        inside = inside[inside > 0]
        if len(inside):
            names, counts = np.unique(inside, return_counts=True)
            return int(names[counts.argmax()]), 0.0
        distances = self.distance_px[rows, columns]
        best = int(distances.argmin())
        nearest = self._nearest[rows[best], columns[best]]
        return int(self._part_of[nearest]), float(distances[best])
