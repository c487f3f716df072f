"""Training images as the exported model takes them, to calibrate its quantization on."""

from __future__ import annotations

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from lwam_mm.runtime import InputSpec, read_image
from lwam_mm.runtime.pre_and_postprocessing import to_batch


def calibration_images(config: Config, spec: InputSpec, count: int) -> list[np.ndarray]:
    """Read evenly spaced images of a config's training set, unaugmented.

    Args:
        config: the student's config.
        spec: the plain export's input; images are resized or padded and normalised as it says.
        count: how many at most.

    Returns:
        float32 (1, 3, H, W) each.

    Raises:
        FileNotFoundError, lwam_mm.datasets.problem.DatasetError: the data cannot be used.
        lwam_mm.runtime.ImageError: an image cannot be read.
    """
    init_default_scope(config.get("default_scope", "mmseg"))
    dataset = DATASETS.build(config.train_dataloader.dataset)
    total = len(dataset)
    chosen = min(count, total)
    paths = [
        dataset.get_data_info(int((i + 0.5) * total / chosen))["img_path"] for i in range(chosen)
    ]
    return [to_batch(read_image(path, spec.white_level), spec) for path in paths]
