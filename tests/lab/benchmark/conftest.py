"""Teacher and student, narrow, with a small data set."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.deploy.exporter import dataset_classes
from lwam_mm.lab.benchmark.pictures import draw_layers
from lwam_mm.lab.benchmark.workshop import Network, Student

SIZE = 64


@pytest.fixture(scope="session")
def benchmark_configs(repository, tmp_path_factory) -> dict[str, Path]:
    """Config files of the narrow student and teacher; no data is needed to build them."""
    folder = tmp_path_factory.mktemp("benchmark-configs")
    root = folder / "data"
    generate_dataset(root, images=24, size=SIZE, seed=0)
    found = {}
    for name, base in (
        ("student", "lwrnet-w16_1xb4-1000i_powder-bed-synthetic-96x96.py"),
        ("teacher", "unetpp-w8_1xb4-400i_powder-bed-synthetic-96x96.py"),
    ):
        found[name] = folder / f"{name}.py"
        found[name].write_text(
            f"_base_ = [{str(repository / 'configs/demo' / base)!r}]\n"
            "model = dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8))\n"
            "for loader in (_base_.train_dataloader, _base_.val_dataloader):\n"
            f"    loader.dataset.data_root = {str(root)!r}\n"
            "for loader in (_base_.val_dataloader, _base_.test_dataloader):\n"
            f"    loader.dataset.pipeline[1].scale = ({SIZE}, {SIZE})\n"
        )
    return found


@pytest.fixture(scope="session")
def layers(tmp_path_factory) -> list[Path]:
    return draw_layers(tmp_path_factory.mktemp("layers"), SIZE, 4)


@pytest.fixture(scope="session")
def networks(benchmark_configs, layers, tmp_path_factory) -> dict[str, Network]:
    folder = tmp_path_factory.mktemp("networks")
    return {
        name: Network(Config.fromfile(path), None, layers, folder / name, SIZE)
        for name, path in benchmark_configs.items()
    }


@pytest.fixture(scope="session")
def student(networks) -> Student:
    classes, _ = dataset_classes(networks["student"].config)
    return Student(networks["student"], classes)
