"""Copy-paste of defects from other images."""

import copy
import random
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.transforms.loading import LoadCheckedImage, LoadIndexMask
from lwam_mm.datasets.transforms.transform import Transform, check_probability

# In pixels: the margin in which the surroundings are measured, and over which a defect fades.
_MARGIN, _FADE = 6, 2
# On darker surfaces, relative contrast is noise.
_DARKEST = 20.0


class Defect(NamedTuple):
    """A defect that was cut out."""

    label: int  # its class
    mask: np.ndarray  # uint8 (h, w), 1 on the defect
    opacity: np.ndarray  # float32 (h, w), 1 on the defect, fading to 0 around it
    # Brightness relative to its surroundings, float32 (h, w, 3); 0 is equal.
    contrast: np.ndarray


@TRANSFORMS.register_module()
class PasteDefect(Transform):
    """Paste a defect of another training image into this one.

    Copy-paste (Ghiasi et al. 2021, arXiv 2012.07177) for surfaces. One connected region is drawn
    from the first donor that has one, mirrored and scaled at random, and pasted where there is no
    defect yet. Its contrast to its old surroundings is applied to the brightness of the new ones,
    and it fades out around its edge, so that a network cannot recognise it by a seam or another
    exposure.

    It suits classes of separate objects, such as holes and cracks, but not a fringe at the edge of
    a part or a change of the whole surface.

    Required keys: ``img``, uint8 ``(H, W, 3)``, ``gt_seg_map``, uint8 ``(H, W)``, both as loaded,
    and ``donors``, samples as :class:`~lwam_mm.datasets.powder_bed.PowderBedDataset` lists them,
    which draws them in training. Modified keys: ``img`` and ``gt_seg_map``.

    Args:
        classes: The classes to paste.
        prob: Probability of pasting, 0..1, if a donor has such a defect.
        scale: Smallest and largest factor of the defect's size.
        min_pixels: Smallest region to use, in pixels.
    """

    def __init__(
        self,
        classes: Sequence[int],
        prob: float = 0.5,
        scale: tuple[float, float] = (0.7, 1.4),
        min_pixels: int = 12,
    ) -> None:
        if not classes or 0 in classes:
            raise ValueError(
                f"classes={classes!r}: name the defects to paste; 0 is the background."
            )
        check_probability(prob)
        if not 0 < scale[0] <= scale[1]:
            raise ValueError(
                f"scale={scale!r} is not a range of factors. Remedy: give two positive "
                "numbers, the smaller first."
            )
        self.classes = tuple(classes)
        self.prob = prob
        self.scale = tuple(scale)
        self.min_pixels = min_pixels
        self._load = (LoadCheckedImage(), LoadIndexMask())
        self._barren: set[str] = set()  # images without such a defect, not to read them again

    def transform(self, results: dict) -> dict:
        """Paste a defect of one of ``results["donors"]`` into the image."""
        defect = self._draw_defect(results["donors"])
        if defect is None:
            return results
        window = self._draw_place(defect.mask.shape, results["gt_seg_map"])
        if window is None:
            return results
        results["img"] = _blend(results["img"], window, defect)
        mask = results["gt_seg_map"].copy()
        mask[window][defect.mask == 1] = defect.label
        results["gt_seg_map"] = mask
        return results

    @cache_randomness
    def _draw_defect(self, donors: Sequence[dict]) -> Defect | None:
        if random.random() >= self.prob:
            return None
        for donor in donors:
            if donor["img_path"] not in self._barren:
                defect = self._cut_from(donor)
                if defect is not None:
                    return self._changed(defect)
        return None

    def _cut_from(self, donor: dict) -> Defect | None:
        donor = copy.deepcopy(donor)
        for load in self._load:
            donor = load(donor)
        mask = donor["gt_seg_map"]
        labels = [label for label in self.classes if (mask == label).any()]
        if not labels:
            self._barren.add(donor["img_path"])
            return None
        label = random.choice(labels)
        _, regions, boxes, _ = cv2.connectedComponentsWithStats((mask == label).astype(np.uint8))
        large = [n for n in range(1, len(boxes)) if boxes[n, cv2.CC_STAT_AREA] >= self.min_pixels]
        if not large:
            return None
        region = random.choice(large)
        return _cut_out(donor["img"], (regions == region).astype(np.uint8), boxes[region], label)

    def _changed(self, defect: Defect) -> Defect:
        axes = [axis for axis in (0, 1) if random.random() < 0.5]
        factor = random.uniform(*self.scale)
        height, width = (max(1, round(side * factor)) for side in defect.mask.shape)

        def change(values: np.ndarray, interpolation: int) -> np.ndarray:
            values = np.ascontiguousarray(np.flip(values, axes))
            return cv2.resize(values, (width, height), interpolation=interpolation)

        return Defect(
            defect.label,
            change(defect.mask, cv2.INTER_NEAREST),
            change(defect.opacity, cv2.INTER_LINEAR),
            change(defect.contrast, cv2.INTER_LINEAR),
        )

    @cache_randomness
    def _draw_place(self, size: tuple[int, int], mask: np.ndarray) -> tuple[slice, slice] | None:
        spare = [length - wanted for length, wanted in zip(mask.shape, size, strict=True)]
        if min(spare) < 0:
            return None
        window = tuple(
            slice(start, start + wanted)
            for start, wanted in zip((random.randint(0, s) for s in spare), size, strict=True)
        )
        return window if (mask[window] == 0).all() else None


def _cut_out(image: np.ndarray, region: np.ndarray, box: np.ndarray, label: int) -> Defect | None:
    """Cut a region out with a margin; None if the image shows nothing around it."""
    left, top, width, height = box[:4]
    window = (
        slice(max(0, top - _MARGIN), top + height + _MARGIN),
        slice(max(0, left - _MARGIN), left + width + _MARGIN),
    )
    mask = np.ascontiguousarray(region[window])
    side = 2 * _FADE + 1
    grown = cv2.dilate(mask, np.ones((3, 3), np.uint8)).astype(np.float32)
    opacity = np.maximum(cv2.GaussianBlur(grown, (side, side), 0), mask)
    patch = image[window].astype(np.float32)
    around = opacity == 0
    if not around.any():
        return None
    level = np.maximum(patch[around].mean(axis=0), _DARKEST)
    return Defect(label, mask, opacity, (patch - level) / level)


def _blend(image: np.ndarray, window: tuple[slice, slice], defect: Defect) -> np.ndarray:
    place = image[window].astype(np.float32)
    level = cv2.blur(place, (2 * _MARGIN + 1, 2 * _MARGIN + 1))
    opacity = defect.opacity[..., None]
    laid = opacity * level * (1 + defect.contrast) + (1 - opacity) * place
    image = image.copy()
    image[window] = np.clip(laid + 0.5, 0, 255).astype(np.uint8)
    return image
