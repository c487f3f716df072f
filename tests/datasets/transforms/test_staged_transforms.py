from __future__ import annotations

import lwam_mm.plugin  # isort: skip  # noqa: F401
import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.samplers.seeded_sampler import Draw
from lwam_mm.datasets.seeded_dataset import SeededDataset


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


@pytest.mark.parametrize("ends", [(), (0,), (2, 2), (3, 2), (1, 2, 3)])
def test_ends_that_do_not_fit_the_stages_are_named(ends):
    stages = 2 if len(ends) < 2 else 3
    with pytest.raises(ValueError, match=rf"ends=.* for {stages} stages"):
        staged(*range(1, stages + 1), ends=ends)


def test_one_stage_alone_is_refused():
    with pytest.raises(ValueError, match="1 stages"):
        staged(5, ends=())
