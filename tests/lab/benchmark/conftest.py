"""Teacher and student, narrow, with a small data set."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from narrow_configs import SIZE, write_narrow_configs

from lwam_mm.deploy.exporter import dataset_classes
from lwam_mm.lab.benchmark.models import Network, Student, draw_layers


@pytest.fixture(scope="session")
def layers(tmp_path_factory) -> list[Path]:
    return draw_layers(tmp_path_factory.mktemp("layers"), SIZE, 4)


@pytest.fixture(scope="session")
def networks(layers, tmp_path_factory) -> dict[str, Network]:
    folder = tmp_path_factory.mktemp("networks")
    configs = write_narrow_configs(tmp_path_factory.mktemp("configs"))
    return {
        name: Network(Config.fromfile(path), None, layers, folder / name, SIZE)
        for name, path in configs.items()
    }


@pytest.fixture(scope="session")
def student(networks) -> Student:
    classes, _ = dataset_classes(networks["student"].config)
    return Student(networks["student"], classes)


@pytest.fixture
def narrow(repository) -> Config:
    base = "configs/distill/kd-unetpp-w32_lwrnet-w64_1xb8-2000e_powder-bed-1024x1024.py"
    config = Config.fromfile(repository / base)
    for net, width in (("architecture", 8), ("teacher", 4)):
        config.model[net].backbone.base_channels = width
        config.model[net].decode_head.base_channels = width
    config.train_dataloader.update(num_workers=0, persistent_workers=False)
    return config
