"""Loads images and masks; a file that is wrong in any way is an error that names it."""

from pathlib import Path

import numpy as np
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.decode import check_same_size, load_image, load_mask
from lwam_mm.datasets.transforms.transform import Transform


@TRANSFORMS.register_module()
class LoadCheckedImage(Transform):
    """Load an image as ``(H, W, 3)`` uint8, BGR; see :func:`~lwam_mm.datasets.decode.decode_image`.

    Required key: ``img_path``. Optional key: ``white_level``, which ``PowderBedDataset`` sets.
    Added keys: ``img``, ``img_shape`` and ``ori_shape`` (height, width). A file that is wrong in
    any way raises a ``DatasetError``.
    """

    def transform(self, results: dict) -> dict:
        """Load ``results["img_path"]``."""
        image = load_image(Path(results["img_path"]), results.get("white_level"))
        results["img"] = image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadIndexMask(Transform):
    """Load a mask of class indices as ``(H, W)`` uint8, and check values and size.

    A sample without ``seg_map_path`` (pure prediction, MMSegmentation's and MMDeploy's inference
    on single images) passes through: ``PowderBedDataset`` checks that training samples have one. A
    sample with ``clean``, which ``PowderBedDataset`` sets, needs none: all of it is background.

    Pixels outside the sample's region of interest become 255, ignored.

    Required keys: ``ori_shape`` (the image's size as loaded, height and width), ``num_classes``,
    ``seg_fields``. Optional keys: ``roi`` and ``clean``, which ``PowderBedDataset`` sets. Added
    key: ``gt_seg_map``. A mask that is wrong in any way raises a ``DatasetError``.
    """

    def transform(self, results: dict) -> dict:
        """Load ``results["seg_map_path"]`` where there is one; a clean frame is background."""
        if "seg_map_path" in results:
            path = Path(results["seg_map_path"])
            mask = load_mask(path, results["num_classes"])
            check_same_size(results["ori_shape"], mask.shape, Path(results["img_path"]), path)
        elif results.get("clean"):
            mask = np.zeros(results["ori_shape"], np.uint8)
        else:
            return results
        if results.get("roi") is not None:
            mask[~results["roi"].inside(mask.shape)] = IGNORE_INDEX
        results["gt_seg_map"] = mask
        results["seg_fields"].append("gt_seg_map")
        return results
