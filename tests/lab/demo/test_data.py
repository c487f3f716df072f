from __future__ import annotations

import shutil

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from lwam_mm.datasets.classes import CLASSES
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.lab.demo.data import adopt, balancing_weights, draw
from lwam_mm.runtime.errors import SettingError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "data"
    generate_dataset(folder, images=12, size=48, seed=3)
    return folder


def test_drawn_once_and_taken_up_again(tmp_path):
    said = []
    first = draw(tmp_path / "data", images=12, size=48, seed=3, progress=said.append)
    again = draw(tmp_path / "data", images=12, size=48, seed=3, progress=said.append)
    assert first == again
    assert first.held_out == "test"
    assert said == [f"{tmp_path / 'data'} is left from an earlier run"]
    assert first.size == (48, 48)
    assert first.images == {"train": 8, "val": 2, "test": 2}
    with pytest.raises(DatasetError, match=r"other images.*--work-dir"):
        draw(tmp_path / "data", images=12, size=48, seed=4, progress=said.append)


def test_own_data_is_checked_and_described(root):
    said = []
    data = adopt(root, None, said.append)
    assert data.classes == CLASSES
    assert data.suffixes == (".png",)
    assert data.held_out == "test"
    assert data.size == (48, 48)
    assert data.images == {"train": 8, "val": 2, "test": 2}
    assert len(data.class_weight) == 6
    assert data.class_weight[0] == min(data.class_weight)  # background is the most frequent
    assert any("Streaking" in line for line in said)
    renamed = adopt(root, list("abcdef"), said.append)
    assert renamed.classes == tuple("abcdef")
    assert len(set(renamed.palette)) == 6


def test_frames_of_several_sizes_are_told(root, tmp_path):
    shutil.copytree(root, tmp_path / "data")
    for kind in ("images", "masks"):
        path = min((tmp_path / "data" / kind / "train").iterdir())
        Image.open(path).resize((64, 32), Image.Resampling.NEAREST).save(path)
    said: list[str] = []
    assert adopt(tmp_path / "data", None, said.append).size == (48, 48)
    assert said[-2] == "11 frames of 48x48 pixels"
    assert "1 of 64x32" in said[-1]


def test_too_few_classes_for_the_masks_is_refused(root):
    with pytest.raises(DatasetError, match="masks"):
        adopt(root, ["background", "defect"], print)
    with pytest.raises(DatasetError, match="no such folder"):
        adopt(root / "absent", None, print)


def test_a_region_of_interest_is_for_testing_alone(root, repository, tmp_path):
    """Walls are background for the training, and nobody asks for them in a test."""
    region = tmp_path / "roi.json"
    region.write_text("[[[0, 0], [20, 0], [20, 47], [0, 47]]]")
    data = adopt(root, None, print, roi=region)
    config = Config.fromfile(next((repository / "configs" / "demo").glob("lwrnet-*.py")))
    data.point(config)
    assert config.test_dataloader.dataset.roi == config.val_dataloader.dataset.roi == str(region)
    assert "roi" not in config.train_dataloader.dataset


def test_what_is_no_region_of_interest_is_refused_first(root, tmp_path):
    region = tmp_path / "roi.json"
    region.write_text('{"polygons": 3}')
    said: list[str] = []
    with pytest.raises(SettingError, match=r"roi\.json"):
        adopt(root, None, said.append, roi=region)
    assert not said


@pytest.mark.parametrize("name", ["unetpp-*", "lwrnet-*", "kd-*"])
def test_config_is_pointed_at_the_data(root, repository, name):
    (path,) = (repository / "configs" / "demo").glob(f"{name}.py")
    config = Config.fromfile(path)
    data = adopt(root, None, lambda line: None)
    data.point(config)
    for side in ("train", "val", "test"):
        dataset = config[f"{side}_dataloader"].dataset
        assert dataset.data_root == str(root)
        assert dataset.data_prefix.img_path == f"images/{side}"
    head = config.model.get("architecture", config.model).decode_head
    assert head.num_classes == 6
    assert tuple(head.loss_decode.class_weight) == data.class_weight


def test_balancing_weights():
    weights = balancing_weights(np.array([10_000, 100, 100, 4, 0]))
    assert weights[0] == 0.2  # held at the lower bound
    assert weights[1] == weights[2] == 1.0
    assert weights[3] == 3.0  # sqrt(100 / 4) = 5, held at the upper bound
    assert weights[4] == 1.0
