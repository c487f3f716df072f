from __future__ import annotations

import cv2
import numpy as np
from mmengine.config import Config

from lwam_mm.quantization.calibration import calibration_images
from lwam_mm.runtime import InputSpec

MEAN, STD = (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)


def test_training_images_unaugmented_as_the_model_takes_them(student_config, deploy_data):
    files = sorted((deploy_data / "images/train").iterdir())
    spec = InputSpec("input", None, MEAN, STD, "pad")
    images = calibration_images(Config.fromfile(student_config), spec, 999)
    assert len(images) == len(files)
    for image, file in zip(images, files, strict=True):
        rgb = cv2.imread(str(file))[:, :, ::-1].astype(np.float32)
        expected = ((rgb - np.float32(MEAN)) / np.float32(STD)).transpose(2, 0, 1)[None]
        assert image.dtype == np.float32
        np.testing.assert_allclose(image, expected, atol=1e-5)


def test_fewer_are_spread_over_the_set_and_resized_to_a_fixed_model(student_config):
    spec = InputSpec("input", (32, 48), MEAN, STD, "stretch")
    config = Config.fromfile(student_config)
    two = calibration_images(config, spec, 2)
    everything = calibration_images(config, spec, 999)
    assert [image.shape for image in two] == [(1, 3, 32, 48)] * 2
    quarter = len(everything) // 4
    np.testing.assert_array_equal(two[0], everything[quarter])
    assert not np.array_equal(two[0], two[1])
