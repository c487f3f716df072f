import pickle
from itertools import islice

import lwam_mm.plugin  # isort: skip  # noqa: F401
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import RepeatDataset
from mmengine.runner import Runner, set_random_seed
from mmseg.registry import DATASETS
from mmseg.utils import register_all_modules
from PIL import Image

from lwam_mm.datasets.classes import CLASSES, PALETTE, default_palette
from lwam_mm.datasets.powder_bed import PowderBedDataset
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.datasets.transforms.loading import LoadCheckedImage

TRAIN = dict(img_path="images/train", seg_map_path="masks/train")


@pytest.fixture(autouse=True, scope="module")
def _mmseg_scope():
    register_all_modules(init_default_scope=True)


def build(root, **options) -> PowderBedDataset:
    return DATASETS.build(
        {"type": "PowderBedDataset", "data_root": str(root), "data_prefix": TRAIN, **options}
    )


def fails(root, **options) -> str:
    with pytest.raises(DatasetError) as caught:
        build(root, **options)
    assert "Remedy: " in str(caught.value)
    return str(caught.value)


def test_released_classes_are_the_default(tiny_root):
    metainfo = build(tiny_root).metainfo
    assert metainfo["classes"] == CLASSES
    assert metainfo["palette"] == [list(colour) for colour in PALETTE]
    assert metainfo["label_map"] is None


def test_samples(tiny_root):
    data = build(tiny_root)
    assert len(data) == 3
    for index, stem in enumerate(["a", "b", "build2/c"]):
        sample = data.get_data_info(index)
        assert sample["img_path"] == str(tiny_root / "images" / "train" / f"{stem}.png")
        assert sample["seg_map_path"] == str(tiny_root / "masks" / "train" / f"{stem}.png")
        assert sample["num_classes"] == 6
        assert sample["label_map"] is None
        assert sample["reduce_zero_label"] is False
        assert sample["seg_fields"] == []


def test_split_file_and_indices(tiny_root):
    (tiny_root / "list.txt").write_text("build2/c\na\n")
    data = build(tiny_root, ann_file="list.txt")
    names = [data.get_data_info(i)["img_path"].rpartition("train/")[2] for i in range(len(data))]
    assert names == ["build2/c.png", "a.png"]
    assert len(build(tiny_root, ann_file="list.txt", indices=1)) == 1


def test_own_classes_replace_the_released_ones(tiny_root):
    # A sub-list in another order would be remapped by mmseg; ours says what the indices mean.
    data = build(tiny_root, metainfo=dict(classes=["Lattice", "Pore"]))
    assert data.metainfo["classes"] == ["Lattice", "Pore"]
    assert data.metainfo["palette"] == default_palette(2)
    assert data.metainfo["label_map"] is None
    assert data.get_data_info(0)["num_classes"] == 2
    assert data.get_data_info(0)["classes"] == data.metainfo["classes"]


def test_six_own_classes_do_not_wear_the_released_colours(tiny_root):
    six = [f"c{i}" for i in range(6)]
    assert build(tiny_root, metainfo=dict(classes=six)).metainfo["palette"] == default_palette(6)


def test_own_palette(tiny_root):
    palette = [[1, 2, 3], [4, 5, 6]]
    data = build(tiny_root, metainfo=dict(classes=["a", "b"], palette=palette))
    assert data.metainfo["palette"] == palette


def test_class_names_from_a_file(tiny_root):
    names = tiny_root / "classes.txt"
    names.write_text("Background\nPore\nCrack\n")
    data = build(tiny_root, metainfo=dict(classes=str(names)))
    assert data.metainfo["classes"] == ["Background", "Pore", "Crack"]
    assert len(data.metainfo["palette"]) == 3


@pytest.mark.parametrize("text", ["\ufeffBackground\r\n Pore \r\n\r\n", "Background\nPore"])
def test_a_class_file_of_any_editor(tiny_root, text):
    names = tiny_root / "classes.txt"
    names.write_bytes(text.encode())
    found = PowderBedDataset._load_metainfo(dict(classes=str(names)))  # as MMDeploy asks
    assert found["classes"] == ["Background", "Pore"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Background\n\nPore\n", "classes.txt: line 2 is blank"),
        ("\nBackground\n", "classes.txt: line 1 is blank"),
        ("Background\nPore\nPore\n", "classes.txt: line 3 repeats 'Pore' of line 2"),
        ("\n", "classes.txt: the class file is empty"),
    ],
)
def test_a_bad_class_file(tiny_root, text, told):
    names = tiny_root / "classes.txt"
    names.write_text(text)
    assert told in fails(tiny_root, metainfo=dict(classes=str(names)))


def test_the_white_level_of_a_12_bit_camera(tiny_root):
    values = np.linspace(0, 4095, 24 * 24).astype(np.uint16).reshape(24, 24)
    for stem in ("a", "b", "build2/c"):
        Image.fromarray(values).save(tiny_root / "images" / "train" / f"{stem}.png")
    pipeline = [dict(type="LoadCheckedImage"), dict(type="LoadIndexMask")]
    data = build(tiny_root, white_level=4095, pipeline=pipeline)
    assert data.metainfo["white_level"] == 4095  # which checkpoints remember
    assert build(tiny_root).metainfo["white_level"] == 65535
    wanted = np.rint(values * (255.0 / 4095)).astype(np.uint8)
    np.testing.assert_array_equal(data[0]["img"][..., 0], wanted)
    # What another sample is mixed with is read alike.
    donor = data[0]["donors"][0]
    np.testing.assert_array_equal(LoadCheckedImage()(donor)["img"][..., 0], wanted)
    assert build(tiny_root, pipeline=pipeline)[0]["img"].max() == 16
    data = build(tiny_root, white_level=4094, pipeline=pipeline)
    with pytest.raises(DatasetError, match=r"a\.png: has a value of 4095, above the white level"):
        data[0]
    assert "white_level=0 is not a value" in fails(tiny_root, white_level=0)


def test_the_white_level_can_be_set_from_the_command_line(repository):
    config = Config.fromfile(repository / "configs" / "_base_" / "datasets" / "powder_bed.py")
    config.merge_from_dict({"train_dataloader.dataset.white_level": 4095})
    assert config.train_dataloader.dataset.white_level == 4095


@pytest.mark.parametrize(
    ("metainfo", "told"),
    [
        (dict(classes=[]), "is no list of names"),
        (dict(classes="Pore"), "classes='Pore' is no list of names"),
        (dict(classes=["a", "a"]), "repeats a name"),
        (dict(classes=["a", ""]), "has a blank name"),
        (dict(classes=["a", 3]), "has a blank name"),
        (dict(classes=[str(i) for i in range(256)]), "256 classes do not fit"),
        (dict(classes=["a", "b"], palette=[[0, 0, 0]]), "does not fit 2 classes"),
        (dict(classes=["a"], palette=[[0, 0, 256]]), "does not fit 1 classes"),
        (dict(palette=[[0, 0, 0]]), "does not fit 6 classes"),
    ],
)
def test_bad_class_list(tiny_root, metainfo, told):
    assert told in fails(tiny_root, metainfo=metainfo)


@pytest.mark.parametrize(
    "option", [dict(reduce_zero_label=True), dict(ignore_index=0), dict(backend_args={})]
)
def test_options_without_a_meaning_here_are_refused(tiny_root, option):
    assert f"{next(iter(option))}=" in fails(tiny_root, **option)


def test_problems_are_found_when_the_data_set_is_built(tiny_root):
    (tiny_root / "masks" / "train" / "a.png").unlink()
    (tiny_root / "images" / "train" / "b.png").unlink()
    text = fails(tiny_root)
    assert "[image without mask: 1]" in text
    assert str(tiny_root / "images" / "train" / "a.png") in text
    assert "[mask without image: 1]" in text
    assert str(tiny_root / "masks" / "train" / "b.png") in text
    assert "tools/check_dataset.py" in text


def test_long_lists_are_cut_short(tiny_root):
    for number in range(20):
        (tiny_root / "images" / "train" / f"new{number:02}.png").touch()
    text = fails(tiny_root)
    assert "[image without mask: 20]" in text
    assert "new02.png" in text
    assert "new03.png" not in text
    assert "... and 17 more of this kind" in text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (dict(data_prefix=dict(img_path="gone", seg_map_path="masks/train")), "missing folder"),
        (dict(img_suffix=".bmp"), "empty split"),
        (dict(ann_file="gone.txt"), "no such split file"),
        (dict(data_prefix=dict(img_path="", seg_map_path="")), "its own mask"),
    ],
)
def test_layout_errors_reach_the_user(tiny_root, options, told):
    assert told in fails(tiny_root, **options)


def test_several_image_suffixes(tiny_root):
    (tiny_root / "images" / "train" / "a.png").rename(tiny_root / "images" / "train" / "a.jpg")
    assert "image suffix" in fails(tiny_root)
    assert len(build(tiny_root, img_suffix=[".png", ".jpg"])) == 3


def test_pure_prediction_needs_no_masks(tiny_root):
    images_only = dict(img_path="images/train")
    data = build(tiny_root, data_prefix=images_only, test_mode=True)
    assert len(data) == 3
    assert "seg_map_path" not in data.get_data_info(0)
    assert "only test_mode=True can go without masks" in fails(tiny_root, data_prefix=images_only)


def test_clean_frames_need_no_masks(tiny_root):
    images_only = dict(img_path="images/train")
    data = build(tiny_root, data_prefix=images_only, clean=True)
    assert len(data) == 3
    assert data.get_data_info(0)["clean"]
    assert "masks/train: is a folder of masks" in fails(tiny_root, clean=True)


def none_for_b(results):
    return None if results["img_path"].endswith("b.png") else results


@pytest.mark.parametrize("test_mode", [False, True])
def test_a_dropped_sample_is_an_error(tiny_root, test_mode):
    data = build(tiny_root, pipeline=[none_for_b], test_mode=test_mode)
    assert data[0]["img_path"].endswith("a.png")
    with pytest.raises(DatasetError, match=r"b\.png: the pipeline dropped this sample"):
        data[1]


def test_it_pickles_and_repeats(tiny_root):
    data = RepeatDataset(pickle.loads(pickle.dumps(build(tiny_root))), times=2)
    assert len(data) == 6
    assert data.metainfo["classes"] == CLASSES


@pytest.mark.parametrize(
    ("name", "pixels", "position"),
    [("powder_bed", 1024, 4), ("magnetic_tile", 256, 3), ("powder_bed_synthetic", 96, 3)],
)
def test_config_is_complete(repository, name, pixels, position):
    path = repository / "configs" / "_base_" / "datasets" / f"{name}.py"
    assert path.read_text().startswith("# ")
    config = Config.fromfile(path)
    size, resizes = (pixels, pixels), ("Resize", "RandomResize")
    for side in ("train", "val", "test"):
        loader = config[f"{side}_dataloader"]
        dataset = loader.dataset
        assert dataset.get("test_mode", False) == (side != "train")
        assert loader.sampler.shuffle == (side == "train")
        assert [t.scale for t in dataset.pipeline if t.type in resizes] == [size]
        kinds = [t.type.replace("RandomResize", "Resize") for t in dataset.pipeline]
        assert kinds[0] == "LoadCheckedImage"
        assert kinds[-1] == "PackSegInputs"
        assert (kinds.index("LoadIndexMask") < kinds.index("Resize")) == (side == "train")
    assert config.val_evaluator == config.test_evaluator == dict(type="SegmentationMetric")
    # The comments on another size count the transforms.
    assert f"pipeline[{position}].scale" in path.read_text()
    assert config.train_dataloader.dataset.pipeline[position].type in resizes
    assert config.val_dataloader.dataset.pipeline[1].type == "Resize"
    assert config.test_pipeline[1].type == "Resize"


def test_size_can_be_set_as_the_comment_says(repository, tmp_path):
    base = repository / "configs" / "_base_" / "datasets" / "powder_bed.py"
    leaf = tmp_path / "leaf.py"
    leaf.write_text(
        f"_base_ = [{str(base)!r}]\n"
        "_base_.train_dataloader.dataset.pipeline[4].scale = (64, 32)\n"
        "train_dataloader = dict(batch_size=2)\n"
    )
    config = Config.fromfile(leaf)
    assert config.train_dataloader.batch_size == 2
    assert config.train_dataloader.dataset.pipeline[4] == dict(
        type="Resize", scale=(64, 32), keep_ratio=False
    )
    config.merge_from_dict({"train_dataloader.dataset.pipeline.4.scale": (16, 8)})
    assert config.train_dataloader.dataset.pipeline[4].scale == (16, 8)


def test_synthetic_config_loads_samples(repository, tiny_root):
    config = Config.fromfile(
        repository / "configs" / "_base_" / "datasets" / "powder_bed_synthetic.py"
    )
    config.merge_from_dict({"train_dataloader.dataset.pipeline.3.scale": (32, 16)})
    for side, count, shape, mask_shape in (
        ("train", 3, (3, 16, 32), (1, 16, 32)),
        ("val", 2, (3, 96, 96), (1, 24, 24)),
    ):
        dataset = config[f"{side}_dataloader"].dataset
        data = DATASETS.build({**dataset, "data_root": str(tiny_root)})
        assert len(data) == count
        for sample in (data[index] for index in range(count)):
            assert sample["inputs"].shape == shape
            assert str(sample["inputs"].dtype) == "torch.uint8"
            labels = sample["data_samples"].gt_sem_seg.data
            assert labels.shape == mask_shape
            assert set(np.unique(labels)) <= {0, 1, 2, 3, 4, 5, 255}


@pytest.mark.parametrize("workers", [0, 2])
def test_training_batches_are_the_same_for_a_seed(repository, tiny_root, workers):
    config = Config.fromfile(
        repository / "configs" / "_base_" / "datasets" / "powder_bed_synthetic.py"
    )
    loader = config.train_dataloader
    loader.dataset.data_root = str(tiny_root)
    loader.update(num_workers=workers, persistent_workers=False, batch_size=2)

    def run(seed: int) -> list[np.ndarray]:
        set_random_seed(seed)
        batches = Runner.build_dataloader(loader, seed=seed)  # without end: training by iterations
        return [np.stack(batch["inputs"]) for batch in islice(batches, 3)]

    first, again, other = run(3), run(3), run(4)
    assert [len(batch) for batch in first] == [2, 2, 2]
    for left, right in zip(first, again, strict=True):
        np.testing.assert_array_equal(left, right)
    assert any((left != right).any() for left, right in zip(first, other, strict=True))


def test_real_magnetic_tiles(repository, shared_data, monkeypatch):
    monkeypatch.setenv("LWAM_DATA_ROOT", str(shared_data))
    config = Config.fromfile(repository / "configs" / "_base_" / "datasets" / "magnetic_tile.py")
    train, val, test = (
        DATASETS.build(config[f"{side}_dataloader"].dataset) for side in ("train", "val", "test")
    )
    assert (len(train), len(val), len(test)) == (2103, 288, 288)
    assert train.metainfo["classes"] == config.metainfo.classes
    seen = np.zeros(256, np.int64)
    for data, pixels in ((train, 128), (val, 256)):  # training crops
        for index in range(0, len(data), 7):
            sample = data[index]
            assert sample["inputs"].shape == (3, pixels, pixels)
            seen += np.bincount(sample["data_samples"].gt_sem_seg.data.ravel(), minlength=256)
    assert seen[:6].all()
    assert not seen[6:].any()
    once = {**config.train_dataloader.dataset, "oversample_thr": 0.0}
    assert len(DATASETS.build(once)) == 1056
