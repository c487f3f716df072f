"""A random crop that contains a defect."""

import random

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.seeded_dataset import completed_passes
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
        early_size: Height and width of the crops in the first ``early_passes`` passes over the
            data set, as in progressive learning (Tan and Le 2021, arXiv 2104.00298): small crops
            take less time and teach most of what large ones do. Without a ``SeededSampler``, which
            counts the passes, all crops have ``crop_size``.
        early_passes: Passes with ``early_size``, 0 or more.

    Raises:
        ValueError: A size is not two whole numbers of 1 or more, ``prob`` is no probability, or
            only one of ``early_size`` and ``early_passes`` is given.
    """

    def __init__(
        self,
        crop_size: tuple[int, int],
        prob: float = 1.0,
        early_size: tuple[int, int] | None = None,
        early_passes: int = 0,
    ) -> None:
        sizes = dict(crop_size=crop_size)
        if early_size is not None:
            sizes["early_size"] = early_size
        for name, size in sizes.items():
            if len(size) != 2 or min(size) < 1:
                raise ValueError(
                    f"{name}={size!r} is not a height and width. Remedy: give two whole "
                    "numbers of 1 or more."
                )
        if (early_size is None) != (early_passes == 0) or early_passes < 0:
            raise ValueError(
                f"early_size={early_size!r}, early_passes={early_passes!r}. Remedy: give both, "
                "early_passes as 1 or more, or neither."
            )
        check_probability(prob)
        self.crop_size = tuple(crop_size)
        self.prob = prob
        self.early_size = tuple(sizes.get("early_size", crop_size))
        self.early_passes = early_passes

    @cache_randomness
    def _draw(self, mask: np.ndarray) -> tuple[slice, slice]:
        pixel = self._defect_pixel(mask) if random.random() < self.prob else None
        passes = completed_passes()
        is_early = passes is not None and passes < self.early_passes
        crop_size = self.early_size if is_early else self.crop_size
        found = []
        for axis, (length, wanted) in enumerate(zip(mask.shape, crop_size, strict=True)):
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
