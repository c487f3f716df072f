from __future__ import annotations

import pickle
import random

import lwam_mm.plugin  # isort: skip  # noqa: F401
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from lwam_mm.datasets.samplers.seeded_sampler import Draw
from lwam_mm.datasets.seeded_dataset import SeededDataset, completed_passes


class Noisy(BaseDataset):
    METAINFO = dict(classes=("a", "b"))  # noqa: RUF012

    def load_data_list(self) -> list[dict]:
        return [dict(number=number) for number in range(4)]

    def prepare_data(self, idx: int) -> tuple[int, float]:
        return self.get_data_info(idx)["number"], random.random()


@pytest.fixture
def joined() -> ConcatDataset:
    return ConcatDataset([Noisy(), Noisy()])


def test_what_is_drawn_alike_comes_alike(joined):
    dataset = SeededDataset(joined)
    first = dataset[Draw(5, (1, 2, 3))]
    random.seed(0)
    assert first[0] == 1
    assert dataset[Draw(5, (1, 2, 3))] == first
    assert dataset[Draw(5, (1, 2, 4))] != first
    assert dataset[5] != dataset[5]  # a plain index goes on in the stream, as ever
    assert joined[Draw(5, (1, 2, 3))] != first  # for which the wrapper is there


def test_transforms_learn_how_many_passes_there_were(joined, monkeypatch):
    monkeypatch.setattr(Noisy, "prepare_data", lambda self, idx: (completed_passes(),))
    dataset = SeededDataset(joined)
    assert dataset[Draw(5, (1, 2, 3), 7)] == (7,)
    assert dataset[5] == (None,)
    monkeypatch.setattr(Noisy, "prepare_data", lambda self, idx: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        dataset[Draw(5, (1, 2, 3), 7)]
    assert completed_passes() is None


def test_all_else_is_asked_of_the_data_set_inside(joined):
    dataset = pickle.loads(pickle.dumps(SeededDataset(joined)))
    assert len(dataset) == 8
    assert dataset.metainfo == dict(classes=("a", "b"))
    assert dataset.get_data_info(6)["number"] == 2
    assert dataset.augments_by_draw
    assert not hasattr(dataset, "nothing_of_this_name")


def test_it_is_built_from_a_config(tiny_root):
    init_default_scope("mmseg")
    inner = dict(
        type="PowderBedDataset",
        data_root=str(tiny_root),
        data_prefix=dict(img_path="images/train", seg_map_path="masks/train"),
        pipeline=[],
    )
    dataset = DATASETS.build(
        dict(type="SeededDataset", dataset=dict(type="ConcatDataset", datasets=[inner, inner]))
    )
    assert len(dataset) == 6
