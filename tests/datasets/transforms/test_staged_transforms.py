from __future__ import annotations

import re

import lwam_mm.plugin  # isort: skip  # noqa: F401
import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.samplers.seeded_sampler import Draw
from lwam_mm.datasets.seeded_dataset import SeededDataset
from lwam_mm.datasets.transforms.staged_transforms import stage_starts


def staged(*widths: int, ends: tuple[int, ...]):
    stages = [[dict(type="Resize", scale=(width, 4), keep_ratio=False)] for width in widths]
    return TRANSFORMS.build(dict(type="StagedTransforms", stages=stages, ends=ends))


class Widths:
    def __init__(self, transform) -> None:
        self.transform = transform

    def __getitem__(self, index: int) -> int:
        return self.transform(dict(img=np.zeros((8, 8, 3), np.uint8)))["img"].shape[1]


def test_each_stage_has_its_passes():
    widths = SeededDataset(Widths(staged(5, 6, 7, ends=(2, 3))))
    assert [widths[Draw(0, (1, 2, 3), passes)] for passes in range(5)] == [5, 5, 6, 7, 7]
    assert widths[0] == 7  # drawn by a sampler that counts no passes


def test_it_is_shown_with_its_stages():
    assert "scale=(5, 4)" in repr(staged(5, 6, ends=(2,)))


@pytest.mark.parametrize(
    ("stages", "ends"),
    [(2, ()), (2, (0,)), (2, (1, 2)), (3, (2, 2)), (3, (3, 2)), (2, 12), (2, ("12",)), (2, (1.5,))],
)
def test_ends_that_do_not_fit_the_stages_are_named(stages, ends):
    named = re.escape(f"ends={ends!r} for {stages} stages")
    with pytest.raises(ValueError, match=named):
        staged(*range(1, stages + 1), ends=ends)


def test_one_stage_alone_is_refused():
    with pytest.raises(ValueError, match="1 stages"):
        staged(5, ends=())


def test_starts_of_stages_are_found_in_all_that_a_data_set_wraps():
    inner = dict(type="StagedTransforms", stages=[[], []], ends=[2])
    outer = dict(type="StagedTransforms", stages=[[inner], []], ends=[5])
    plain, wrapped = dict(pipeline=[dict(type="Resize")]), dict(pipeline=(dict(), outer))
    assert stage_starts(dict(type="ConcatDataset", datasets=[plain, wrapped])) == [0, 2, 5]
    assert stage_starts(plain) == [0]
