"""Random rotation by whole degrees, as in the released augmentation."""

import random

import mmcv
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.transforms.transform import Transform, check_probability


@TRANSFORMS.register_module()
class RandomWholeAngleRotate(Transform):
    """Rotate image and mask about the centre by whole degrees; the size does not change.

    MMSegmentation's ``RandomRotate`` rotates by any real angle and interpolates the image; the
    released augmentation takes the nearest pixel in both. It also labels the empty corners as
    background, which they are not: here they are ignored. ``seg_pad_val=0`` is as released.

    Required keys: ``img``, uint8 ``(H, W, 3)``. Modified keys: ``img`` and every key in
    ``seg_fields``, uint8 ``(H, W)``.

    Args:
        prob: Probability of rotating, 0..1.
        angle_range: Angles in degrees; the first is included, the last is not.
        pad_val: Grey value (0..255) of the empty corners in the image.
        seg_pad_val: Their value in the masks.
    """

    def __init__(
        self,
        prob: float = 0.5,
        angle_range: tuple[int, int] = (-180, 180),
        pad_val: int = 0,
        seg_pad_val: int = IGNORE_INDEX,
    ) -> None:
        check_probability(prob)
        if not all(isinstance(a, int) for a in angle_range) or angle_range[0] >= angle_range[1]:
            raise ValueError(
                f"angle_range={angle_range!r} contains no whole angle. Remedy: give two whole "
                "numbers of degrees, the smaller first."
            )
        self.prob = prob
        self.angle_range = tuple(angle_range)
        self.pad_val = pad_val
        self.seg_pad_val = seg_pad_val

    @cache_randomness
    def _draw(self) -> int | None:
        return random.randrange(*self.angle_range) if random.random() < self.prob else None

    def transform(self, results: dict) -> dict:
        """Rotate the sample, or leave it as it is."""
        angle = self._draw()
        if angle is None:
            return results
        image_fill = (self.pad_val,) * 3
        results["img"] = mmcv.imrotate(
            results["img"], angle, border_value=image_fill, interpolation="nearest"
        )
        for key in results.get("seg_fields", []):
            results[key] = mmcv.imrotate(
                results[key], angle, border_value=self.seg_pad_val, interpolation="nearest"
            )
        return results
