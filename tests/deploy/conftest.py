"""Images of awkward sizes, and MMSegmentation's own labels for them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config


@pytest.fixture(scope="session")
def test_images(deploy_data) -> list[Path]:
    images = sorted((deploy_data / "images/test").iterdir())
    assert len({cv2.imread(str(image)).shape for image in images}) > 1
    return images


@pytest.fixture(scope="session")
def torch_labels(build_student, student_config, test_images) -> dict[Path, np.ndarray]:
    """MMSegmentation's own answer for each test image, by the unfolded model."""
    from mmseg.apis import inference_model

    model = build_student()
    model.cfg = Config.fromfile(student_config)
    found = {}
    for image in test_images:
        result = inference_model(model, str(image))
        found[image] = result.pred_sem_seg.data[0].numpy().astype(np.uint8)
    assert len(np.unique(np.concatenate([labels.ravel() for labels in found.values()]))) > 2
    return found
