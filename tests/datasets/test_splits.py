from pathlib import Path

import pytest
from mmengine.config import Config

from lwam_mm.datasets.classes import CLASSES
from lwam_mm.datasets.layout import SplitSpec
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.datasets.splits import splits_from_config, splits_from_root


def loader(side: str, **options) -> dict:
    prefix = dict(img_path=f"images/{side}", seg_map_path=f"masks/{side}")
    return dict(
        dataset=dict(type="PowderBedDataset", data_root="data", data_prefix=prefix, **options)
    )


def test_root_in_the_released_layout(tiny_root):
    specs = splits_from_root(tiny_root, [".png", ".jpg"], "_label.png", 1023)
    assert specs == [
        SplitSpec(
            name,
            tiny_root / "images" / name,
            tiny_root / "masks" / name,
            (".png", ".jpg"),
            "_label.png",
            white_level=1023,
        )
        for name in ("train", "val")
    ]


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_test_side_counts_where_either_folder_is_there(tiny_root, kind):
    (tiny_root / kind / "test").mkdir()
    assert [spec.name for spec in splits_from_root(tiny_root)] == ["train", "val", "test"]


def test_missing_root(tmp_path):
    with pytest.raises(DatasetError, match=r"gone: no such folder\. Remedy: "):
        splits_from_root(tmp_path / "gone")


def test_config_with_everything_set():
    config = dict(
        train_dataloader=loader("train", img_suffix=".jpg", ann_file="list.txt"),
        val_dataloader=loader("val", seg_map_suffix=".bmp", white_level=4095),
    )
    config["train_dataloader"]["dataset"]["white_level"] = 4095
    specs, classes = splits_from_config(config)
    train, val = specs
    assert train == SplitSpec(
        "train",
        Path("data/images/train"),
        Path("data/masks/train"),
        (".jpg",),
        ".png",
        Path("data/list.txt"),
        4095,
    )
    assert val.mask_suffix == ".bmp"
    assert val.split_file is None
    assert classes == CLASSES


def test_root_takes_the_place_of_data_root():
    (spec,), _ = splits_from_config(dict(train_dataloader=loader("train")), Path("/elsewhere"))
    assert spec.image_dir == Path("/elsewhere/images/train")


def test_wrapped_data_sets():
    inner = [loader("train")["dataset"], loader("extra")["dataset"]]
    wrapped = dict(type="RepeatDataset", dataset=dict(type="ConcatDataset", datasets=inner))
    specs, _ = splits_from_config(dict(train_dataloader=dict(dataset=wrapped)))
    assert [spec.image_dir.name for spec in specs] == ["train", "extra"]


def test_clean_frames_have_no_folder_of_masks():
    clean = loader("train", clean=True)
    clean["dataset"]["data_prefix"].pop("seg_map_path")
    (spec,), _ = splits_from_config(dict(train_dataloader=clean))
    assert spec.mask_dir is None


def test_a_test_side_that_is_the_validation_side_is_checked_once():
    config = {f"{side}_dataloader": loader("val") for side in ("val", "test")}
    specs, _ = splits_from_config(config)
    assert [spec.name for spec in specs] == ["val"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "names no PowderBedDataset"),
        (dict(train_dataloader=dict(dataset=dict(type="CityscapesDataset"))), "CityscapesDataset"),
        (
            dict(
                test_dataloader=dict(
                    dataset=dict(type="PowderBedDataset", data_prefix=dict(img_path="images"))
                )
            ),
            "does not name both folders",
        ),
        (
            dict(
                train_dataloader=loader("train", metainfo=dict(classes=["a", "b"])),
                val_dataloader=loader("val"),
            ),
            "have different classes",
        ),
        (
            dict(train_dataloader=loader("train", white_level=4095), val_dataloader=loader("val")),
            r"have different white levels \(train: 4095; val: None\)",
        ),
        (dict(train_dataloader=loader("train", white_level=0)), "white_level=0 is not a value"),
        (dict(train_dataloader=loader("train", metainfo=dict(classes="c.txt"))), "classes='c.txt'"),
    ],
)
def test_config_that_cannot_be_checked(config, told):
    with pytest.raises(DatasetError, match=told) as caught:
        splits_from_config(config)
    assert "Remedy: " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("powder_bed", ["train", "val", "test"]),
        ("powder_bed_synthetic", ["train", "val", "test"]),
        ("magnetic_tile", ["train", "val"]),
    ],
)
def test_our_configs(repository, name, sides):
    config = Config.fromfile(repository / "configs" / "_base_" / "datasets" / f"{name}.py")
    specs, classes = splits_from_config(config)
    assert [spec.name for spec in specs] == sides
    assert len(classes) == 6
    assert all(spec.split_file is None for spec in specs)
