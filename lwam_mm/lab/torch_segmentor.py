"""A trained segmentor as a function from an image to probabilities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmseg.structures import SegDataSample

from lwam_mm.deploy.compared_models import load_multi_branch


def torch_segmentor(config: Config, checkpoint: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Load a segmentor that sees images at their own size.

    Args:
        config: The config of a segmentor.
        checkpoint: Its weights.

    Returns:
        A function from an image, uint8 (H, W, 3), BGR, to its probabilities, float32 (C, H, W).

    Raises:
        FileNotFoundError: There is no such checkpoint.
        lwam_mm.utils.errors.UserError: The checkpoint does not fit the config.
    """
    model = load_multi_branch(config, checkpoint)[0].to(get_device())

    def segment(image: np.ndarray) -> np.ndarray:
        size = image.shape[:2]
        sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size, pad_shape=size))
        inputs = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        with torch.no_grad():
            (result,) = model.test_step(dict(inputs=[inputs], data_samples=[sample]))
        return torch.softmax(result.seg_logits.data.float(), dim=0).cpu().numpy()

    return segment
