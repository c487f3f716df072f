"""Loads images and masks; a file that is wrong in any way is an error that names it."""

from pathlib import Path

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.decode import check_same_size, decode_image, decode_mask, read_bytes


@TRANSFORMS.register_module()
class LoadCheckedImage(LoadImageFromFile):
    """Load an image as ``(H, W, 3)`` uint8, blue, green, red.

    Grey becomes three equal channels, alpha is dropped, 16 bits become 8: see
    :func:`~lwam_mm.datasets.decode.decode_image`.

    Required key: ``img_path``. Optional key: ``white_level``, which ``PowderBedDataset`` sets.
    Added keys: ``img``, ``img_shape`` and ``ori_shape`` (height, width).

    Raises:
        DatasetError: If the file is missing, truncated, no image, of a kind that is not read, or
            has a value above the white level.
    """

    def __init__(self) -> None:
        super().__init__()

    def transform(self, results: dict) -> dict:
        """Load ``results["img_path"]``."""
        path = Path(results["img_path"])
        image = decode_image(read_bytes(path), path, results.get("white_level"))
        results["img"] = image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@TRANSFORMS.register_module()
class LoadIndexMask(LoadAnnotations):
    """Load a mask of class indices as ``(H, W)`` uint8, and check it.

    A sample without ``seg_map_path`` (pure prediction, MMSegmentation's and MMDeploy's inference
    on single images) passes through: ``PowderBedDataset`` checks that training samples have one.

    Required keys: ``ori_shape`` (the image's size as loaded, height and width), ``num_classes``,
    ``seg_fields``. Added key: ``gt_seg_map``.

    Raises:
        DatasetError: If the file is missing, truncated, no index mask, of another size than the
            image, or holds a value that is neither a class nor 255.
    """

    def __init__(self) -> None:
        super().__init__()

    def transform(self, results: dict) -> dict:
        """Load ``results["seg_map_path"]`` where there is one."""
        if "seg_map_path" not in results:
            return results
        path = Path(results["seg_map_path"])
        mask: np.ndarray = decode_mask(read_bytes(path), path, results["num_classes"])
        check_same_size(results["ori_shape"], mask.shape, Path(results["img_path"]), path)
        results["gt_seg_map"] = mask
        results["seg_fields"].append("gt_seg_map")
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
