from __future__ import annotations

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.engine.hooks import SegVisualizationHook
from mmseg.registry import MODELS
from PIL import Image

from lwam_mm.engine.hooks.prediction_pictures_hook import common_folder, use_prediction_pictures
from lwam_mm.engine.launch import load_config

SIZE = 32


def draw(root: Path, names: list[str]) -> Path:
    """Images that differ, and masks of background; the names are those of the test split."""
    random = np.random.default_rng(0)
    for file in ("train/a", "val/a", *(f"test/{name}" for name in names)):
        for kind in ("images", "masks"):
            path = root / kind / f"{file}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (SIZE, SIZE), np.uint8)
            Image.fromarray(pixels if kind == "images" else pixels * 0).save(path)
    return root


@pytest.fixture
def run_test(repository, tmp_path, monkeypatch):
    """Function that runs tools/test.py on a data set; returns its masks and pictures by name."""
    monkeypatch.chdir(tmp_path)
    (file,) = (repository / "configs" / "demo").glob("lwrnet-*.py")
    net = "dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8))"
    Path("net.py").write_text(
        f"_base_ = [{str(file)!r}]\nmodel = {net}\nlog_level = 'ERROR'\n"
        f"_base_.test_dataloader.dataset.pipeline[1].scale = ({SIZE}, {SIZE})\n"
        "_base_.test_dataloader.update(num_workers=0, persistent_workers=False)\n"
    )
    init_default_scope("mmseg")
    torch.manual_seed(0)
    model = MODELS.build(load_config("net.py").model)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    torch.save(dict(state_dict=model.state_dict()), "net.pth")
    main = runpy.run_path(str(repository / "tools" / "test.py"))["main"]

    def run(root: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        options = ["--cfg-options", "test_evaluator.output_dir=masks"]
        main(["net.py", "net.pth", "--data-root", str(root), "--show-dir", "shown", *options])
        pictures = Path("shown/vis_data/vis_image")
        return tuple(
            {
                path.relative_to(folder).as_posix(): cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
                for path in folder.rglob("*.png")
            }
            for folder in (Path("masks"), pictures)
        )

    return run


def test_images_of_equal_names_in_sub_folders_keep_their_masks_and_pictures(run_test, tmp_path):
    names = ["camA/0001", "camB/0001", "0001"]
    root = draw(tmp_path / "data", names)
    masks, pictures = run_test(root)
    assert masks.keys() == {"camA/0001.png", "camB/0001.png", "0001.png"}
    assert len({mask.tobytes() for mask in masks.values()}) == 3
    assert pictures.keys() == {
        "camA/test_0001.png_0.png", "camB/test_0001.png_0.png", "test_0001.png_0.png",
    }  # fmt: skip
    for name, picture in pictures.items():
        file = name.replace("test_", "").removesuffix("_0.png")
        image = cv2.imread(str(root / "images" / "test" / file), cv2.IMREAD_GRAYSCALE)
        truth = picture[:, :SIZE].mean(axis=2)  # left of the prediction: background over the image
        assert np.corrcoef(truth.ravel(), image.ravel())[0, 1] > 0.7


def test_one_folder_is_named_as_before_wherever_it_lies(run_test, tmp_path):
    masks, pictures = run_test(draw(tmp_path / "data", ["camA/0001", "camA/0002"]))
    assert masks.keys() == {"0001.png", "0002.png"}
    assert pictures.keys() == {"test_0001.png_0.png", "test_0002.png_0.png"}


class Paths(list):
    def get_data_info(self, index):
        return dict(img_path=self[index])


def test_common_folder():
    assert common_folder(Paths(["/d/a/b/1.png", "/d/a/c/1.png"])) == Path("/d/a")
    assert common_folder(Paths(["/d/a/b/1.png"])) == Path("/d/a/b")
    assert common_folder(Paths(["x/1.png", "1.png"])) == Path.cwd()


@pytest.mark.parametrize(
    "hook", [dict(type="SegVisualizationHook"), dict(type=SegVisualizationHook), None]
)
def test_takes_the_place_of_mmsegs_hook(hook):
    config = Config(dict(default_hooks=dict(visualization=hook and hook | dict(draw=True))))
    use_prediction_pictures(config)
    assert config.default_hooks.visualization.type == "PredictionPicturesHook"
    assert config.default_hooks.visualization.get("draw", True)
    config = Config({})
    use_prediction_pictures(config)
    assert config.default_hooks.visualization.type == "PredictionPicturesHook"


def test_other_hooks_stay():
    config = Config(dict(default_hooks=dict(visualization=dict(type="Mine"))))
    use_prediction_pictures(config)
    assert config.default_hooks.visualization.type == "Mine"
