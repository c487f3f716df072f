"""Drawn defects on real frames."""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.classes import CLASSES, IGNORE_INDEX
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.datasets.synthetic.chamber_view.fine_defects import DRAW_ON_FRAMES
from lwam_mm.datasets.synthetic.noise import generator
from lwam_mm.datasets.synthetic.scene import BACKGROUND, Canvas, Scene
from lwam_mm.datasets.transforms.transform import Transform, check_probability
from lwam_mm.runtime.region_of_interest import Polygon, RegionOfInterest

_BLUR = (0.3, 0.9)  # sigma in px: what is drawn is as sharp as a camera sees it


_LEAST_CHANGE = 1 / 512  # half a grey level of white


@TRANSFORMS.register_module()
class DrawDefects(Transform):
    """Draw streaks, holes, dents, ripples and glowing metal on a real frame.

    Frames without a defect come by the thousand, defects are rare, and few builds show every kind.
    What is drawn multiplies the grey levels of the real surface and so has its light, its grain
    and its marks: a net cannot tell it by these, and learns whatever else a frame shows as
    background. It is the idea of CutPaste (arXiv 2104.04015) and NSA (arXiv 2109.15222) with the
    defects of powder beds.

    Required keys: ``img``, uint8 ``(H, W, 3)``, a whole frame, ``gt_seg_map``, uint8 ``(H, W)``,
    and ``classes``, which ``PowderBedDataset`` sets. Modified keys: ``img`` and ``gt_seg_map``;
    only what is labelled background is drawn on.

    Args:
        prob: Probability of each kind of defect, 0..1.
        roi: The powder surface, as :class:`~lwam_mm.datasets.powder_bed.PowderBedDataset` takes it,
            in px of the frame as it comes here; nothing is drawn outside. The whole frame if None.

    Raises:
        ValueError: ``prob`` is no probability.
        SettingError: ``roi`` is no region of interest.
        DatasetError: The data set has other classes than the paper's.
    """

    def __init__(self, prob: float = 0.25, roi: str | Path | Polygon | None = None) -> None:
        check_probability(prob)
        self.prob = prob
        self.roi = roi
        self._region = None if roi is None else RegionOfInterest(roi)

    @cache_randomness
    def _draw_seed(self) -> int:
        return random.getrandbits(32)

    def transform(self, results: dict) -> dict:
        """Draw on the frame, and label what was drawn."""
        if tuple(results["classes"]) != CLASSES:
            raise DatasetError(
                f"{type(self).__name__}: the data set has the classes "
                f"{', '.join(results['classes'])}, and what is drawn is of {', '.join(CLASSES)}. "
                f"Remedy: take {type(self).__name__} out of the pipeline."
            )
        rng = generator(self._draw_seed())
        kinds = [draw for _, draw in DRAW_ON_FRAMES if rng.random() < self.prob]
        if not kinds:
            return results
        mask = results["gt_seg_map"]
        height, width = mask.shape
        canvas = Canvas(max(height, width))
        canvas.mask[:height, :width] = mask
        if self._region is not None:
            canvas.mask[:height, :width][~self._region.inside(mask.shape)] = IGNORE_INDEX
        free = canvas.mask[:height, :width] == BACKGROUND
        scene = Scene(max(height, width), inset=(0.0,) * 4, parts=(), lattices=())
        for draw in kinds:
            draw(canvas, scene, rng)
        # Glowing metal is drawn over whatever lies there.
        factor = canvas.factor[:height, :width].copy()
        factor[~free] = 1
        factor = cv2.GaussianBlur(factor, (0, 0), rng.uniform(*_BLUR))
        changed = np.abs(factor - 1) > _LEAST_CHANGE  # little of a frame
        image = results["img"].copy()
        image[changed] = np.clip(image[changed] * factor[changed, None] + 0.5, 0, 255)
        results["img"] = image
        results["gt_seg_map"] = np.where(free, canvas.mask[:height, :width], mask)
        return results
