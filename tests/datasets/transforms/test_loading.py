from pathlib import Path

import lwam_mm.plugin  # isort: skip  # noqa: F401
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmseg.registry import TRANSFORMS
from mmseg.utils import register_all_modules
from PIL import Image
from torch.utils.data import DataLoader

from lwam_mm.datasets.powder_bed import PowderBedDataset
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.datasets.transforms.loading import LoadCheckedImage, LoadIndexMask

TRAIN = dict(img_path="images/train", seg_map_path="masks/train")


@pytest.fixture(autouse=True, scope="module")
def _mmseg_scope():
    register_all_modules(init_default_scope=True)


def dataset(root: Path, *transforms: dict, **options) -> PowderBedDataset:
    options = {"data_prefix": TRAIN, **options}
    return PowderBedDataset(data_root=str(root), pipeline=list(transforms), **options)


LOAD = (dict(type="LoadCheckedImage"), dict(type="LoadIndexMask"))


def test_they_are_registered_under_plain_names():
    assert TRANSFORMS.get("LoadCheckedImage") is LoadCheckedImage
    assert TRANSFORMS.get("LoadIndexMask") is LoadIndexMask


def test_image_and_mask(tiny_root):
    sample = dataset(tiny_root, *LOAD)[0]
    grey = np.asarray(Image.open(tiny_root / "images" / "train" / "a.png"))
    np.testing.assert_array_equal(sample["img"], np.repeat(grey[..., None], 3, axis=2))
    assert sample["img_shape"] == sample["ori_shape"] == (24, 24)
    np.testing.assert_array_equal(
        sample["gt_seg_map"], np.asarray(Image.open(tiny_root / "masks" / "train" / "a.png"))
    )
    assert sample["seg_fields"] == ["gt_seg_map"]


def test_outside_the_region_of_interest_nothing_counts(tiny_root):
    square = [(3, 0), (9, 0), (9, 20), (3, 20)]
    whole = dataset(tiny_root, *LOAD)[0]["gt_seg_map"]
    mask = dataset(tiny_root, *LOAD, roi=square)[0]["gt_seg_map"]
    np.testing.assert_array_equal(mask[:21, 3:10], whole[:21, 3:10])
    mask[:21, 3:10] = 255
    assert (mask == 255).all()


def test_a_clean_frame_is_background(tiny_root):
    options = dict(data_prefix=dict(img_path="images/train"), roi=[(3, 0), (9, 0), (9, 20)])
    sample = dataset(tiny_root, *LOAD, clean=True, **options)[0]
    assert sample["gt_seg_map"].shape == (24, 24)
    assert sample["gt_seg_map"].dtype == np.uint8
    assert set(np.unique(sample["gt_seg_map"])) == {0, 255}
    assert sample["seg_fields"] == ["gt_seg_map"]


def test_mask_is_compared_with_the_image_as_loaded_not_as_resized(tiny_root):
    resize = dict(type="Resize", scale=(48, 32), keep_ratio=False)
    sample = dataset(tiny_root, LOAD[0], resize, LOAD[1], test_mode=True)[0]
    assert sample["img"].shape == (32, 48, 3)
    assert sample["gt_seg_map"].shape == (24, 24)


def save_mask(root: Path, mask: np.ndarray) -> None:
    Image.fromarray(mask).save(root / "masks" / "train" / "a.png")


def test_mask_of_another_size(tiny_root):
    save_mask(tiny_root, np.zeros((24, 25), np.uint8))
    with pytest.raises(DatasetError, match=r"masks/train/a\.png: is 25 x 24 px .* is 24 x 24 px"):
        dataset(tiny_root, *LOAD)[0]


def test_allowed_values_follow_the_class_list(tiny_root):
    save_mask(tiny_root, np.full((24, 24), 6, np.uint8))
    with pytest.raises(DatasetError, match=r"a\.png: mask value 6 \(576 pixels\); allowed are 0"):
        dataset(tiny_root, *LOAD)[0]
    seven = dict(classes=[f"c{i}" for i in range(7)])
    assert (dataset(tiny_root, *LOAD, metainfo=seven)[0]["gt_seg_map"] == 6).all()


def test_file_that_vanished_after_the_start(tiny_root):
    data = dataset(tiny_root, *LOAD)
    (tiny_root / "masks" / "train" / "a.png").unlink()
    with pytest.raises(DatasetError, match=r"masks/train/a\.png: does not exist"):
        data[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_truncated_image_stops_training_and_is_named(tiny_root, workers):
    image = tiny_root / "images" / "train" / "b.png"
    image.write_bytes(image.read_bytes()[:200])
    loader = DataLoader(dataset(tiny_root, *LOAD), batch_size=None, num_workers=workers)
    with pytest.raises(DatasetError, match=r"images/train/b\.png: is a truncated PNG"):
        list(loader)


def test_inference_on_a_single_image_needs_no_mask(tiny_root):
    # As mmseg's and MMDeploy's inference calls a test pipeline.
    path = str(tiny_root / "images" / "train" / "a.png")
    packed = Compose([*LOAD, dict(type="PackSegInputs")])(dict(img_path=path))
    assert packed["inputs"].shape == (3, 24, 24)
    assert "gt_sem_seg" not in packed["data_samples"]


def test_repr():
    assert repr(LoadCheckedImage()) == "LoadCheckedImage()"
    assert repr(LoadIndexMask()) == "LoadIndexMask()"
