from __future__ import annotations

import pytest

from lwam_mm.datasets.splits import SPLITS
from lwam_mm.datasets.synthetic.splits import plan_builds


@pytest.mark.parametrize("images", [3, 4, 7, 12, 24, 60, 100, 406])
def test_images_are_shared_out_to_builds_of_every_split(images):
    plans = plan_builds(images)
    assert [plan.index for plan in plans] == list(range(len(plans)))
    assert sum(plan.layers for plan in plans) == images
    assert {plan.split for plan in plans} == set(SPLITS)
    assert all(plan.layers >= 1 for plan in plans)
    assert max(plan.layers for plan in plans) <= 12


@pytest.mark.parametrize("images", [24, 60, 406])
def test_shares_are_about_70_15_15(images):
    per_split = dict.fromkeys(SPLITS, 0)
    for plan in plan_builds(images):
        per_split[plan.split] += plan.layers
    assert per_split["val"] == per_split["test"]
    assert per_split["val"] / images == pytest.approx(0.15, abs=0.02)
