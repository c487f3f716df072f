"""A random crop that contains a defect."""

import random

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.transforms.transform import Transform, check_probability


@TRANSFORMS.register_module()
class RandomDefectCrop(Transform):
    """Cut out a crop that shows a defect at a random place in it.

    One of the image's defect classes is drawn, all with the same probability, then one of its
    pixels, then the place of that pixel in the crop. MMSegmentation's ``RandomCrop`` tries a few
    crops and takes one that its largest class does not fill: it rarely hits a defect of 20 pixels,
    and prefers the larger of two defects. Without a defect, and with probability ``1 - prob``, the
    crop is placed at random.

    Required keys: ``img``, uint8 ``(H, W, 3)``, and ``gt_seg_map``, uint8 ``(H, W)``. Modified
    keys: these, every other one in ``seg_fields``, and ``img_shape``.

    Args:
        crop_size: Height and width in pixels; a smaller image is taken at its full size.
        prob: Probability of choosing a defect, 0..1.

    Raises:
        ValueError: ``crop_size`` is not two whole numbers of 1 or more, or ``prob`` is no
            probability.
    """

    def __init__(self, crop_size: tuple[int, int], prob: float = 1.0) -> None:
        if len(crop_size) != 2 or min(crop_size) < 1:
            raise ValueError(
                f"crop_size={crop_size!r} is not a height and width. Remedy: give two whole "
                "numbers of 1 or more."
            )
        check_probability(prob)
        self.crop_size = tuple(crop_size)
        self.prob = prob

    @cache_randomness
    def _draw(self, mask: np.ndarray) -> tuple[slice, slice]:
        pixel = self._defect_pixel(mask) if random.random() < self.prob else None
        found = []
        for axis, (length, wanted) in enumerate(zip(mask.shape, self.crop_size, strict=True)):
            size = min(length, wanted)
            first, last = 0, length - size
            if pixel is not None:
                first, last = max(first, pixel[axis] - size + 1), min(last, pixel[axis])
            start = random.randint(first, last)
            found.append(slice(start, start + size))
        return tuple(found)

    def _defect_pixel(self, mask: np.ndarray) -> tuple[int, int] | None:
        # bincount takes a fifth of the time of unique.
        classes = [
            c for c in np.flatnonzero(np.bincount(mask.ravel())) if c not in (0, IGNORE_INDEX)
        ]
        if not classes:
            return None
        pixels = np.flatnonzero(mask == random.choice(classes))
        return divmod(int(random.choice(pixels)), mask.shape[1])

    def transform(self, results: dict) -> dict:
        """Crop image and masks."""
        window = self._draw(results["gt_seg_map"])
        for key in ("img", *results.get("seg_fields", [])):
            results[key] = np.ascontiguousarray(results[key][window])
        results["img_shape"] = results["img"].shape[:2]
        return results
