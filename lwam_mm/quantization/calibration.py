"""Training images as the exported model takes them, to calibrate its quantization."""

from __future__ import annotations

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from lwam_mm.runtime import InputSpec, read_image
from lwam_mm.runtime.pre_and_postprocessing import to_batch


def evenly_spaced(total: int, count: int) -> list[int]:
    """Return ``count`` indices below ``total``, the middles of as many equal stretches.

    Data sets are sorted, so every build is among the images.
    """
    return [int((i + 0.5) * total / count) for i in range(count)]


def calibration_images(config: Config, spec: InputSpec, count: int) -> list[np.ndarray]:
    """Read evenly spaced images of a config's training set, without augmentation.

    Args:
        config: The student's config.
        spec: The plain export's input; images are resized or padded and normalised as it says.
        count: How many at most.

    Returns:
        float32 of shape (1, 3, H, W) each.

    Raises:
        FileNotFoundError, lwam_mm.datasets.problem.DatasetError: The data cannot be used.
        lwam_mm.runtime.ImageError: An image cannot be read.
    """
    init_default_scope(config.get("default_scope", "mmseg"))
    dataset = DATASETS.build(config.train_dataloader.dataset)
    chosen = evenly_spaced(len(dataset), min(count, len(dataset)))
    paths = [dataset.get_data_info(index)["img_path"] for index in chosen]
    return [to_batch(read_image(path), spec) for path in paths]
