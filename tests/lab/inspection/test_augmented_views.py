from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from lwam_mm.lab.inspection.augmented_views import choose_telling, views_of
from lwam_mm.utils.errors import UserError


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
    chosen = choose_telling(pixels, 3, seed)
    assert len(set(chosen)) == 3
    assert 80 in chosen
    assert {7, 50} & set(chosen)
    assert (pixels[chosen] > 0).any(axis=0).all()
    assert choose_telling(pixels, 1, seed) == [80]


def test_larger_half_is_drawn_from(pixels):
    pixels[:, 2:] = 0
    drawn = {index for seed in range(40) for index in choose_telling(pixels, 1, seed)}
    assert min(drawn) >= 50
    assert len(drawn) > 5


def test_classes_take_turns(pixels):
    pixels[:] = 0
    pixels[:90, 1], pixels[90:, 2] = 5, 5
    shown = pixels[choose_telling(pixels, 8)] > 0
    assert shown[:, 1].sum() == shown[:, 2].sum() == 4


def test_same_seed_same_choice(pixels):
    assert choose_telling(pixels, 6, 1) == choose_telling(pixels, 6, 1)
    assert choose_telling(pixels, 6, 1) != choose_telling(pixels, 6, 2)


def test_no_more_than_there_are():
    counts = np.array([[9, 0], [9, 0], [8, 1]])
    assert sorted(choose_telling(counts, 10)) == [0, 1, 2]
    assert choose_telling(counts, 2)[0] == 2  # then plain background


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
    views = views_of(dataset, 1, 3)
    assert dataset.asked == len(views) == 3
    image, mask = views[0]
    assert image.shape == (6, 8, 3)
    assert image.dtype == mask.dtype == np.uint8
    assert image[0, 0].tolist() == [0, 1, 2]
    assert (mask == 255).all()


def test_refusals():
    with pytest.raises(UserError, match=r"a\.png: .* image of \(6, 8\) with a mask of \(6, 7\)"):
        views_of([item(mask=(6, 7))], 0, 1)
    bare = item()
    del bare["data_samples"].gt_sem_seg
    for wrong in (bare, dict(img=1), dict(inputs=[1], data_samples=item()["data_samples"])):
        with pytest.raises(UserError, match="gives no image with a mask"):
            views_of([wrong], 0, 1)
