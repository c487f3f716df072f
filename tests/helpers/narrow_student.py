"""Fixtures: a narrow student with random weights, its config and a data set of small layers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from lwam_mm.datasets.synthetic import generate_dataset

SIZE = 64
STUDENT = "lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96.py"


@pytest.fixture(scope="session")
def deploy_data(tmp_path_factory) -> Path:
    """A tiny data set; some of its test images and masks cut to another size."""
    root = tmp_path_factory.mktemp("deploy") / "data"
    generate_dataset(root, images=24, size=SIZE, seed=0)
    for index, image in enumerate(sorted((root / "images/test").iterdir())):
        for path in (image, root / "masks/test" / image.name):
            pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            cv2.imwrite(str(path), pixels[: SIZE - 7 * index, : SIZE - 3 * index])
    return root


@pytest.fixture(scope="session")
def student_config(repository, deploy_data, tmp_path_factory) -> Path:
    leaf = tmp_path_factory.mktemp("config") / "student.py"
    leaf.write_text(
        f"_base_ = [{str(repository / 'configs/demo' / STUDENT)!r}]\n"
        "model = dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8))\n"
        "for loader in (_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader):\n"
        f"    loader.dataset.data_root = {str(deploy_data)!r}\n"
        "    loader.num_workers = 0\n"
        "    loader.persistent_workers = False\n"
        "for loader in (_base_.val_dataloader, _base_.test_dataloader):\n"
        f"    loader.dataset.pipeline[1].scale = ({SIZE}, {SIZE})\n"
        f"_base_.test_pipeline[1].scale = ({SIZE}, {SIZE})\n"
    )
    return leaf


@pytest.fixture(scope="session")
def build_student(student_config, randomise_batch_norms, deploy_data):
    """Function building the student of a seed, in eval mode, with lively batch norms."""

    def build(seed: int = 0) -> torch.nn.Module:
        init_default_scope("mmseg")
        torch.manual_seed(seed)
        model = MODELS.build(Config.fromfile(student_config).model)
        torch.nn.init.normal_(model.decode_head.conv_seg.weight)
        randomise_batch_norms(model, seed)
        _look_at(model, deploy_data / "images/train")
        return model

    return build


def _look_at(model: torch.nn.Module, folder: Path) -> None:
    """Give batch norms and classifier the statistics of a folder's images, and set eval mode.

    With statistics drawn at random each layer adds more of its own bias than of the image, and
    whatever one does to the image the logits stay all but the same. Logits get an equal mean and
    spread, so that every class wins somewhere.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    images = np.stack([cv2.imread(str(path))[..., ::-1] for path in sorted(folder.iterdir())])
    preprocessor = model.data_preprocessor
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    batch = (batch - preprocessor.mean) / preprocessor.std
    with torch.no_grad():
        model.train()(batch, mode="tensor")
        logits = model.eval()(batch, mode="tensor")
        spread, mean = torch.std_mean(logits, dim=(0, 2, 3))
        classifier = model.decode_head.conv_seg
        classifier.weight /= spread.reshape(-1, 1, 1, 1)
        classifier.bias.copy_((classifier.bias - mean) / spread)


@pytest.fixture(scope="session")
def student_checkpoint(build_student, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "student.pth"
    torch.save(dict(state_dict=build_student().state_dict()), path)
    return path
