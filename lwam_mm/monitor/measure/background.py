"""What stands at the same place since a build's first layers: plate edge, stain, reflection."""

import cv2
import numpy as np

from lwam_mm.runtime.errors import SettingError


class Background:
    """Learns, from the masks of a build's first layers, where regions are nothing new.

    A pixel is background of a class if it is of that class in more than half of these layers.
    Pixels, not boxes: what appears inside of a ring-shaped reflection is new, and so is what grows
    out of a stain. After a restart, give it the masks of the same layers again.

    Args:
        layers: So many inspected layers, the first of the build, are learned from.
        reach_px: Background reaches this much further, because an edge is never found at quite the
            same pixels.

    Example:
        >>> background = Background(layers=1, reach_px=0)
        >>> background.learn(np.array([[0, 1, 1, 0]], np.uint8))
        >>> background.place(1)
        array([[  0, 255, 255,   0]], dtype=uint8)
        >>> background.place(2) is None
        True
    """

    def __init__(self, layers: int = 3, reach_px: int = 3) -> None:
        if layers < 0 or reach_px < 0:
            raise SettingError(
                f"background: layers is {layers} and reach_px {reach_px}: give 0 or more"
            )
        self._layers = layers
        self._reach = reach_px
        self._seen = 0
        self._counts: dict[int, np.ndarray] = {}
        self._places: dict[int, np.ndarray] = {}

    @property
    def learned(self) -> bool:
        """Whether it has seen enough layers."""
        return self._seen >= self._layers

    def learn(self, labels: np.ndarray) -> None:
        """Take the next inspected layer's mask, uint8 (H, W); what has learned does nothing."""
        if self.learned:
            return
        self._seen += 1
        for label in np.flatnonzero(np.bincount(labels.ravel(), minlength=1)):
            if label:
                count = self._counts.setdefault(int(label), np.zeros(labels.shape, np.uint16))
                count += labels == label
        if self.learned:
            self._finish()

    def place(self, label: int) -> np.ndarray | None:
        """Return where a class is background, uint8 (H, W) of 255 and 0; None if nowhere."""
        return self._places.get(label)

    def _finish(self) -> None:
        side = 2 * self._reach + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        for label, count in self._counts.items():
            often = (2 * count.astype(np.int32) > self._layers).astype(np.uint8)
            if often.any():
                self._places[label] = 255 * cv2.dilate(often, kernel)
        self._counts.clear()
