"""Calibration images for a teacher that runs in INT8."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

from lwam_mm.quantization.calibration import evenly_spaced

_SEED = 0


@HOOKS.register_module()
class CalibrateTeacherHook(Hook):
    """Set the calibration images of a distillation with ``teacher_engine='openvino-int8'``.

    They are evenly spaced images of the training set, augmented as in training, but with separate
    random numbers. These are the same at each start, so that a resumed run has the same teacher,
    and the random numbers of the training are not affected. For other models this does nothing.

    Args:
        images: The largest number of images.

    Raises:
        ValueError: ``images`` is less than 1.
    """

    def __init__(self, images: int = 32) -> None:
        if images < 1:
            raise ValueError(f"images={images}: give at least 1 to calibrate on")
        self.images = images

    def before_train(self, runner: Runner) -> None:
        """Read the images.

        Raises:
            lwam_mm.datasets.problem.DatasetError: An image cannot be used.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        engine = getattr(model, "teacher_engine", None)
        if engine is None or not engine.wants_calibration:
            return
        engine.calibration = augmented_images(
            runner.train_dataloader.dataset, model.data_preprocessor, self.images
        )
        used = len(engine.calibration)
        runner.logger.info(f"The INT8 teacher is calibrated on {used} images of the training set.")


def augmented_images(dataset: Dataset, preprocessor: nn.Module, count: int) -> list[Tensor]:
    """Read evenly spaced images as in training, the same ones at each call.

    Args:
        dataset: The training set, with its pipeline.
        preprocessor: The model's data preprocessor.
        count: The largest number of images. There are fewer if the set is smaller, or if sizes
            differ, because only images of the first one's size are kept.

    Returns:
        Normalized images, (1, 3, H, W), on the CPU.
    """
    chosen = evenly_spaced(len(dataset), min(count, len(dataset)))
    with _separate_random_numbers():
        found = [
            preprocessor(pseudo_collate([dataset[index]]), True)["inputs"].cpu() for index in chosen
        ]
    return [image for image in found if image.shape == found[0].shape]


@contextmanager
def _separate_random_numbers() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  what transforms use
    with torch.random.fork_rng(devices=[]):
        random.seed(_SEED)
        np.random.seed(_SEED)  # noqa: NPY002
        torch.manual_seed(_SEED)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
