from __future__ import annotations

import lwam_mm.plugin  # isort: skip  # noqa: F401
import pytest
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from lwam_mm.datasets.problem import DatasetError
from lwam_mm.datasets.samplers.seeded_sampler import Draw


def files(root, side, **options):
    return dict(
        data_root=str(root),
        data_prefix=dict(img_path=f"images/{side}", seg_map_path=f"masks/{side}"),
        pipeline=[],
        **options,
    )


@pytest.fixture
def build(tiny_root):
    init_default_scope("mmseg")

    def make(share, **of_rehearsal):
        known = dict(type="PowderBedDataset", **files(tiny_root, "val", **of_rehearsal))
        frames = files(tiny_root, "train")
        config = dict(type="RehearsingDataset", rehearsal=known, rehearsal_share=share, **frames)
        return DATASETS.build(config)

    return make


def sides(dataset):
    drawn = [dataset[Draw(n % 3, (0, n))] for n in range(400)]
    return [sample["img_path"].split("/")[-2] for sample in drawn], drawn


def test_a_share_of_the_samples_is_rehearsed(build):
    dataset = build(0.25)
    assert len(dataset) == 3
    seen, drawn = sides(dataset)
    assert seen.count("val") == pytest.approx(100, abs=30)
    # All of what is known takes its turn, and the same draw gives the same sample.
    assert {s["img_path"][-5:] for s in drawn if "/val/" in s["img_path"]} == {"d.png", "e.png"}
    assert sides(dataset)[0] == seen


@pytest.mark.parametrize(("share", "side"), [(0, "val"), (1, "train")])
def test_none_or_all(build, share, side):
    assert side not in sides(build(share))[0]


def test_a_share_beyond_all_or_other_classes_are_refused(build):
    with pytest.raises(DatasetError, match=r"rehearsal_share=1.5 is not a share"):
        build(1.5)
    with pytest.raises(DatasetError, match="rehearsal has the classes"):
        build(0.5, metainfo=dict(classes=["Background", "Scratch"]))
