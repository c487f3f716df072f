from __future__ import annotations

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from lwam_mm.datasets.problem import DatasetError
from lwam_mm.engine.launch import load_config
from lwam_mm.lab.inspection import show_dataset as module
from lwam_mm.lab.inspection.show_dataset import show_dataset
from lwam_mm.utils.errors import UserError

RARE = "layer_11"


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    """Twelve layers of background and class 2; class 5 in one of them, some pixels unlabelled."""
    root, random = tmp_path_factory.mktemp("shown"), np.random.default_rng(0)
    for side in ("train", "val", "test"):
        for kind in ("images", "masks"):
            (root / kind / side).mkdir(parents=True)
        for number in range(12):
            mask = np.zeros((24, 32), np.uint8)
            mask[4:12, 4:20] = 2
            mask[0, :] = 255
            if number == 11:
                mask[20, 20] = 5
            image = random.integers(0, 256, mask.shape, np.uint8)
            Image.fromarray(image).save(root / "images" / side / f"layer_{number}.png")
            Image.fromarray(mask).save(root / "masks" / side / f"layer_{number}.png")
    return root


@pytest.fixture
def config(repository, data_root) -> Config:
    name = "lwrnet-w64_1xb4-2000e_powder-bed-1024x1024.py"
    config = load_config(repository / "configs" / "lwrnet" / name, data_root=data_root)
    (resize,) = (t for t in config.train_dataloader.dataset.pipeline if t["type"] == "Resize")
    resize["scale"] = (48, 40)
    return config


@pytest.fixture
def drawn(monkeypatch):
    """The rows of each sheet."""
    sheets = []
    write = module.write_contact_sheet
    monkeypatch.setattr(
        module,
        "write_contact_sheet",
        lambda path, rows, *rest: (sheets.append(rows), write(path, rows, *rest)),
    )
    return sheets


def test_rows_show_the_files_and_what_the_pipeline_makes_of_them(
    config, data_root, drawn, tmp_path
):
    assert show_dataset(config, tmp_path / "a.png", images=3, views=8) == 3
    (rows,) = drawn
    assert f"images/train/{RARE}.png" in [row.name for row in rows]
    for row in rows:
        read = cv2.imread(str(data_root / row.name))
        mask = cv2.imread(str(data_root / row.name.replace("images", "masks")), 0)
        np.testing.assert_array_equal(row.image, read)
        np.testing.assert_array_equal(row.mask, mask)
        assert [image.shape for image, _ in row.views] == [(40, 48, 3)] * 8
        assert len({image.tobytes() for image, _ in row.views}) > 4
        assert any(np.any(view == 5) for _, view in row.views) == (RARE in row.name)
    # The rotation of this pipeline leaves corners without a label.
    corners = [view[0, 0] == 255 and view[-1, -1] == 255 for row in rows for _, view in row.views]
    assert any(corners)
    assert cv2.imread(str(tmp_path / "a.png")).shape[1] == 10 * (192 + 4)


def test_same_seed_same_sheet(config, tmp_path):
    sheets = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        show_dataset(config, tmp_path / f"{name}.png", images=2, views=2, seed=seed)
        sheets[name] = (tmp_path / f"{name}.png").read_bytes()
    assert sheets["a"] == sheets["b"] != sheets["c"]


def test_repeated_files_are_shown_once(config, drawn, tmp_path):
    config.train_dataloader.dataset = dict(
        type="RepeatDataset", times=3, dataset=config.train_dataloader.dataset
    )
    assert show_dataset(config, tmp_path / "a.png", images=99, views=1) == 12
    assert len({row.name for row in drawn[0]}) == 12


def test_data_that_cannot_be_shown(config, tmp_path):
    config.train_dataloader.dataset.data_root = str(tmp_path / "none")
    with pytest.raises(DatasetError, match="none"):
        show_dataset(config, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_pipeline_without_a_mask(config, tmp_path):
    config.train_dataloader.dataset.pipeline.pop(1)
    with pytest.raises(UserError, match="gives no image with a mask; it has to load both"):
        show_dataset(config, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_tool(repository, data_root, tmp_path, capsys):
    main = runpy.run_path(str(repository / "tools" / "show_dataset.py"))["main"]
    (config,) = (repository / "configs" / "demo").glob("lwrnet-*.py")
    out = tmp_path / "sheet.png"
    arguments = [str(config), "--data-root", str(data_root), "--out", str(out)]
    assert main([*arguments, "--images", "2", "--views", "1", "--seed", "3"]) == 0
    assert f"{out}: 2 images, 1 views each" in capsys.readouterr().out
    assert cv2.imread(str(out)).shape[1] == 3 * (192 + 4)
    for wrong in (["--images", "0"], ["--views", "-1"]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *wrong])
        assert ended.value.code == 2
