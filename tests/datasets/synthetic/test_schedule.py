from __future__ import annotations

import numpy as np
import pytest

from lwam_mm.datasets.synthetic.noise import generator
from lwam_mm.datasets.synthetic.scene import DEFECTS, HOPPING, INCOMPLETE, STREAKING, SUPER
from lwam_mm.datasets.synthetic.schedule import COVERAGE, plan_events


def shown_by_layer(events, layers: int) -> np.ndarray:
    shown = np.zeros((layers, 6), int)
    for event in events:
        shown[event.start : event.start + event.duration, event.defect] += 1
    return shown


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 7, 8, 20])
def test_events_fit_the_build(layers):
    for seed in range(40):
        events = plan_events(generator(seed), layers)
        shown = shown_by_layer(events, layers)
        assert all(event.start >= 0 and event.duration >= 1 for event in events)
        assert all(event.start + event.duration <= layers for event in events)
        assert len({event.key for event in events}) == len(events)
        assert shown.max() == 1
        assert shown.sum(axis=1).max() <= 3
        assert not (shown[:, INCOMPLETE] & shown[:, HOPPING]).any()
        if layers >= 2:
            assert {event.defect for event in events} == set(DEFECTS)


def test_defects_are_as_frequent_as_documented_and_clean_layers_remain():
    shown = np.concatenate([shown_by_layer(plan_events(generator(s), 8), 8) for s in range(200)])
    for defect, share in COVERAGE.items():
        assert shown[:, defect].mean() == pytest.approx(share, abs=0.08)
    kinds = shown.sum(axis=1)
    assert 0.02 < (kinds == 0).mean() < 0.25
    assert (kinds >= 1).mean() > 0.75


def test_proud_parts_and_streaks_last_longer_than_short_feeds():
    lasting = {defect: [] for defect in DEFECTS}
    for seed in range(100):
        for event in plan_events(generator(seed), 8):
            lasting[event.defect].append(event.duration)
    assert np.mean(lasting[SUPER]) > 2 * np.mean(lasting[INCOMPLETE])
    assert np.mean(lasting[STREAKING]) > 1.5 * np.mean(lasting[INCOMPLETE])
    assert max(lasting[INCOMPLETE]) <= 2
