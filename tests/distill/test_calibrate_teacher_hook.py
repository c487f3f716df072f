from __future__ import annotations

import logging
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from lwam_mm.distill.calibrate_teacher_hook import CalibrateTeacherHook, augmented_images


class Dataset:
    """Images of random noise, some of another size."""

    def __init__(self, count: int, odd: tuple[int, ...] = ()) -> None:
        self.count, self.odd, self.asked = count, odd, []

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict:
        self.asked.append(index)
        size = 6 if index in self.odd else 4
        noise = np.random.rand(3, size, size) + random.random() + float(torch.rand(()))  # noqa: NPY002
        return dict(inputs=torch.from_numpy(noise + index).float())


class Preprocessor(nn.Module):
    def forward(self, data: dict, training: bool) -> dict:
        assert training
        return dict(inputs=torch.stack(data["inputs"]))


def test_images_are_the_same_each_time_and_the_trainings_random_numbers_untouched():
    def numbers():
        return random.random(), np.random.rand(), float(torch.rand(()))  # noqa: NPY002

    def seed():
        random.seed(3)
        np.random.seed(3)  # noqa: NPY002
        torch.manual_seed(3)

    seed()
    expected = numbers()
    seed()
    first = augmented_images(Dataset(10), Preprocessor(), 4)
    assert numbers() == expected
    second = augmented_images(Dataset(10), Preprocessor(), 4)
    assert [image.shape for image in first] == [(1, 3, 4, 4)] * 4
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_images_are_spread_over_the_set_and_of_one_size():
    dataset = Dataset(10, odd=(3,))
    found = augmented_images(dataset, Preprocessor(), 4)
    assert dataset.asked == [1, 3, 6, 8]
    assert len(found) == 3
    assert len(augmented_images(Dataset(2), Preprocessor(), 4)) == 2


def runner_of(model) -> SimpleNamespace:
    return SimpleNamespace(
        model=model,
        train_dataloader=SimpleNamespace(dataset=Dataset(8)),
        logger=logging.getLogger("test"),
    )


def test_hook_serves_who_asks(make):
    model = make(teacher_engine="openvino-int8")
    model.data_preprocessor = Preprocessor()
    CalibrateTeacherHook(images=5).before_train(runner_of(model))
    assert len(model.teacher_engine.calibration) == 5
    assert not model.teacher_engine.wants_calibration


def test_hook_leaves_the_others_alone(make):
    for model in (nn.Linear(1, 1), make(teacher_engine="openvino")):
        runner = runner_of(model)
        CalibrateTeacherHook().before_train(runner)
        assert not runner.train_dataloader.dataset.asked


def test_no_images_make_no_sense():
    with pytest.raises(ValueError, match="images=0: give at least 1"):
        CalibrateTeacherHook(images=0)
