from __future__ import annotations

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from lwam_mm.datasets.problem import DatasetError
from lwam_mm.engine.launch import load_config
from lwam_mm.lab.inspection import show_dataset as module
from lwam_mm.lab.inspection.show_dataset import augmented_views, choose_images, show_dataset
from lwam_mm.utils.errors import UserError

RARE = "layer_11"
PALETTE = tuple((40 * n, 0, 0) for n in range(6))


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
    """The rows of each sheet, an image and a mask in place of a picture, and its captions."""
    sheets = []
    write, draw = module.write_sheet, module.draw_mask
    monkeypatch.setattr(module, "draw_mask", lambda image, mask, palette: (image, mask))

    def record(path, headings, rows, captions, legend):
        sheets.append((rows, captions))
        pictures = [[row[0], *(draw(*pair, PALETTE) for pair in row[1:])] for row in rows]
        write(path, headings, pictures, captions=captions, legend=legend)

    monkeypatch.setattr(module, "write_sheet", record)
    return sheets


def test_rows_show_the_files_and_what_the_pipeline_makes_of_them(
    config, data_root, drawn, tmp_path
):
    assert show_dataset(config, tmp_path / "a.png", images=3, views=8) == 3
    ((rows, captions),) = drawn
    names = [caption.partition(":")[0] for caption in captions]
    assert f"images/train/{RARE}.png" in names
    corners = []
    for name, (image, (under_mask, mask), *views) in zip(names, rows, strict=True):
        read = cv2.imread(str(data_root / name))
        np.testing.assert_array_equal(image, read)
        np.testing.assert_array_equal(under_mask, read)
        expected = cv2.imread(str(data_root / name.replace("images", "masks")), 0)
        np.testing.assert_array_equal(mask, expected)
        assert [view.shape for view, _ in views] == [(40, 48, 3)] * 8
        assert len({view.tobytes() for view, _ in views}) > 4
        assert any(np.any(view == 5) for _, view in views) == (RARE in name)
        corners += [view[0, 0] == 255 and view[-1, -1] == 255 for _, view in views]
    assert any(corners)  # the rotation of this pipeline leaves corners without a label
    assert cv2.imread(str(tmp_path / "a.png")).shape[1] == 10 * (192 + 4)


def test_clean_frames_need_no_masks(config, drawn, tmp_path):
    dataset = config.train_dataloader.dataset
    dataset.clean = True
    del dataset.data_prefix["seg_map_path"]
    show_dataset(config, tmp_path / "a.png", images=1, views=1)
    ((((_, (_, mask), (_, view)),), _captions),) = drawn
    assert mask.shape == (24, 32)
    assert view.shape == (40, 48)
    assert not mask.any()
    assert set(np.unique(view)) <= {0, 255}  # rotated


def test_views_are_of_every_stage_of_the_training(config, drawn, tmp_path):
    pipeline = config.train_dataloader.dataset.pipeline
    (at,) = (n for n, step in enumerate(pipeline) if step["type"] == "Resize")
    stages = [
        [dict(type="Resize", scale=scale, keep_ratio=False)] for scale in ((48, 40), (24, 20))
    ]
    pipeline[at] = dict(type="StagedTransforms", stages=stages, ends=[3])
    show_dataset(config, tmp_path / "a.png", images=1, views=5)
    (([row], _),) = drawn
    assert [view.shape[:2] for view, _ in row[2:]] == [(40, 48)] * 3 + [(20, 24)] * 2


def test_each_row_says_its_file_and_contents(config, data_root, drawn, tmp_path):
    show_dataset(config, tmp_path / "a.png", images=12, views=0)
    captions = drawn[0][1]
    assert f"images/train/{RARE}.png: Incomplete 17 %, Lattice 0.13 %" in captions
    assert "images/train/layer_3.png: Incomplete 17 %" in captions
    assert module._contents(np.array([4, 0]), 4, ("Background", "Super")) == "Background only"


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
    assert len({caption.partition(":")[0] for caption in drawn[0][1]}) == 12


def test_data_that_cannot_be_shown(config, tmp_path):
    config.train_dataloader.dataset.data_root = str(tmp_path / "none")
    with pytest.raises(DatasetError, match="none"):
        show_dataset(config, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_pipeline_without_a_mask(config, tmp_path):
    config.train_dataloader.dataset.pipeline.pop(1)
    with pytest.raises(UserError, match="returns no image with a mask; it must load both"):
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


# ---- the choice of images, and their views


@pytest.fixture
def pixels() -> np.ndarray:
    """A hundred images of background and class 1; class 2 in two of them, class 3 in one."""
    counts = np.zeros((100, 4), int)
    counts[:, 0], counts[:, 1] = 1000, np.arange(100) + 1
    counts[[7, 50], 2] = 3
    counts[80, 3] = 1
    return counts


@pytest.mark.parametrize("seed", range(5))
def test_rare_classes_are_among_few_images(pixels, seed):
    chosen = choose_images(pixels, 3, seed)
    assert len(set(chosen)) == 3
    assert 80 in chosen
    assert {7, 50} & set(chosen)
    assert (pixels[chosen] > 0).any(axis=0).all()
    assert choose_images(pixels, 1, seed) == [80]


def test_larger_half_is_drawn_from(pixels):
    pixels[:, 2:] = 0
    drawn = {index for seed in range(40) for index in choose_images(pixels, 1, seed)}
    assert min(drawn) >= 50
    assert len(drawn) > 5


def test_classes_take_turns(pixels):
    pixels[:] = 0
    pixels[:90, 1], pixels[90:, 2] = 5, 5
    shown = pixels[choose_images(pixels, 8)] > 0
    assert shown[:, 1].sum() == shown[:, 2].sum() == 4


def test_same_seed_same_choice(pixels):
    assert choose_images(pixels, 6, 1) == choose_images(pixels, 6, 1)
    assert choose_images(pixels, 6, 1) != choose_images(pixels, 6, 2)


def test_no_more_than_there_are():
    counts = np.array([[9, 0], [9, 0], [8, 1]])
    assert sorted(choose_images(counts, 10)) == [0, 1, 2]
    assert choose_images(counts, 2)[0] == 2  # then plain background


def item(size=(6, 8), mask=(6, 8)) -> dict:
    sample = SegDataSample(metainfo=dict(img_path="a.png"))
    sample.gt_sem_seg = PixelData(data=torch.full((1, *mask), 255))
    return dict(inputs=torch.arange(3)[:, None, None].expand(3, *size), data_samples=sample)


class Counting(list):
    """A data set that counts how often it is asked."""

    asked = 0

    def __getitem__(self, index):
        self.asked += 1
        return super().__getitem__(index)


def test_each_view_is_a_pass_through_the_pipeline():
    dataset = Counting([item(), item()])
    views = augmented_views(dataset, [1, 1, 1])
    assert dataset.asked == len(views) == 3
    image, mask = views[0]
    assert image.shape == (6, 8, 3)
    assert image.dtype == mask.dtype == np.uint8
    assert image[0, 0].tolist() == [0, 1, 2]
    assert (mask == 255).all()


def test_views_without_a_mask_are_refused():
    with pytest.raises(UserError, match=r"a\.png: .* image of \(6, 8\) with a mask of \(6, 7\)"):
        augmented_views([item(mask=(6, 7))], [0])
    bare = item()
    del bare["data_samples"].gt_sem_seg
    for wrong in (bare, dict(img=1), dict(inputs=[1], data_samples=item()["data_samples"])):
        with pytest.raises(UserError, match="returns no image with a mask"):
            augmented_views([wrong], [0])
