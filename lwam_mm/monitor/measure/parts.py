"""Which part a place belongs to, and how far it is from the nearest one."""

import cv2
import numpy as np

from lwam_mm.runtime.errors import SettingError


class PartNumbers:
    """Gives the parts of a layer's mask numbers that stay the same from layer to layer.

    A mask of 0 and one other value shows parts without their numbers. A part then keeps the number
    of the part that it lies on most in the last layer that had a mask; a new one gets the next
    number. A mask with several values but 0 holds the numbers itself.

    Args:
        memory: What `memory` was, to go on from there after a restart.
    """

    def __init__(self, memory: np.ndarray | None = None) -> None:
        self._last: np.ndarray | None = None
        self._next = 1
        if memory is not None:
            numbers = np.ascontiguousarray(memory).view(np.int32)[:, :, 0]
            self._last, self._next = numbers[1:], int(numbers[0, 0])

    @property
    def memory(self) -> np.ndarray | None:
        """What is known of the parts, as an image that PNG can hold; None before the first part.

        uint8 of shape (H + 1, W, 4): the bytes of int32, the next number in the first row, then the
        numbers of the last layer.
        """
        if self._last is None:
            return None
        first = np.full((1, self._last.shape[1]), self._next, np.int32)
        return np.vstack([first, self._last])[:, :, None].view(np.uint8)

    def number(self, mask: np.ndarray) -> np.ndarray:
        """Return each pixel's part.

        Args:
            mask: Integers of shape (H, W), 0 where there is no part.

        Returns:
            int32 of shape (H, W): the part's number, 1 or more, or 0.
        """
        values = mask[mask > 0]
        if len(values) and (values != values[0]).any():
            return mask.astype(np.int32)
        count, found = cv2.connectedComponents((mask > 0).astype(np.uint8), connectivity=8)
        names = np.zeros(count, np.int32)
        last = self._last
        if last is not None and last.shape == found.shape and self._next > 1:
            pairs = np.bincount(
                (found * np.int64(self._next) + last).ravel(), minlength=count * self._next
            ).reshape(count, self._next)
            pairs[0] = pairs[:, 0] = 0
            taken: set[int] = set()
            # The largest common areas first.
            for index in np.argsort(-pairs, axis=None, kind="stable"):
                part, name = divmod(int(index), self._next)
                if not pairs[part, name]:
                    break
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
        empty: Whether there is none.
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
        self._free = free
        self._distances: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def _measure(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return each pixel's distance to a part, that part's pixel's number, and its part.

        Made when it is needed first: most layers have no region beside a part.
        """
        if self._distances is None:
            distances, nearest = cv2.distanceTransformWithLabels(
                self._free, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
            )
            on_part = self._free == 0
            # OpenCV numbers the parts' pixels as it likes: keep, for each number, the part.
            part_of = np.zeros(int(nearest.max()) + 1, np.int64)
            part_of[nearest[on_part]] = self.parts[on_part]
            self._distances = distances, nearest, part_of
        return self._distances

    def nearest(
        self, window: tuple[slice, slice], inside: np.ndarray
    ) -> tuple[int | None, float | None]:
        """Return the part nearest to a region, and its distance in px.

        On parts, the one with most of the pixels counts.

        Args:
            window: The region's bounding box, rows and columns.
            inside: bool of the box's shape: the region's pixels.

        Returns:
            The part and the distance; None for both if there is no part.
        """
        if self.empty:
            return None, None
        on = self.parts[window][inside]
        on = on[on > 0]
        if len(on):
            if (on == on[0]).all():
                return int(on[0]), 0.0
            names, counts = np.unique(on, return_counts=True)
            return int(names[counts.argmax()]), 0.0
        distances, nearest, part_of = self._measure()
        within = np.where(inside, distances[window], np.float32(np.inf))
        best = int(within.argmin())
        return int(part_of[nearest[window].flat[best]]), float(within.flat[best])
