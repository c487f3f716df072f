from __future__ import annotations

import time

import numpy as np
import pytest

from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.deploy.exporter import export_bundle
from lwam_mm.engine.launch import evaluate
from lwam_mm.lab.demo.compare import (
    ExportedModel,
    TrainedModel,
    choose_layers,
    compare,
    least_area,
    measure_in_turn,
)
from lwam_mm.lab.demo.data import adopt
from lwam_mm.lab.demo.light_net import START, light_config


def test_figures_are_those_of_the_test_tool_for_every_form_of_a_net(tmp_path):
    """Also on frames whose sides are no multiples of the net's stride; in a region of interest."""
    generate_dataset(tmp_path / "data", images=24, size=150, seed=1)
    (tmp_path / "roi.json").write_text("[[[0, 0], [99, 0], [99, 149], [0, 149]]]")
    data = adopt(tmp_path / "data", None, lambda line: None, roi=tmp_path / "roi.json")
    config = light_config(data, tmp_path / "work")
    bundle = export_bundle(
        config, START, tmp_path / "bundle", dynamic=True, accept_mismatch=True
    ).root
    trained = [
        TrainedModel("net", config, START, shown=True),
        TrainedModel("folded", config, START, folded=True),
    ]
    scores, samples = compare(trained, [ExportedModel("exported", bundle, "folded")], data)

    config.test_evaluator[1].min_area = least_area(data.size)
    expected = evaluate(config, START)
    assert [score.name for score in scores] == ["net", "folded", "exported"]
    for score in scores:
        assert score.miou == pytest.approx(expected["mIoU"], abs=0.01)
        assert score.regions_found == pytest.approx(expected["RegionRecall10"])
        assert score.false_regions == pytest.approx(expected["FalseRegions10"])
    assert scores[0].parameters > scores[1].parameters == scores[2].parameters
    for sample in samples:
        assert list(sample.predictions) == ["net", "exported"]
        assert sample.predictions["exported"].shape == (150, 150)
        assert not sample.predictions["exported"][:, 100:].any()  # as predict.py --roi shows it
    assert any(sample.predictions["net"][:, 100:].any() for sample in samples)


@pytest.mark.parametrize(
    ("size", "least"), [((1280, 1024), 30), ((96, 96), 4), ((2560, 2048), 120)]
)
def test_least_area_grows_with_the_frame(size, least):
    assert least_area(size) == least


def test_functions_take_turns():
    calls = []
    measure_in_turn(dict(a=lambda: calls.append("a"), b=lambda: calls.append("b")), rounds=2)
    assert calls == ["a", "b"] * 5  # three rounds of warm-up


def test_median_in_milliseconds(monkeypatch):
    """Of 1, 2 and 9 s after a warm-up of one round."""
    clock = iter([0, 50, 50, 51, 60, 62, 70, 79])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert measure_in_turn(dict(a=lambda: None), rounds=3, warm_up=1) == {"a": pytest.approx(2000)}


def test_layers_are_shown_that_add_classes():
    contents = [[0], [0, 1], [0, 1, 2, 255], [0, 3], [0, 1]]
    assert choose_layers([np.array(found) for found in contents]) == [2, 3, 1, 4, 0]
    assert len(choose_layers([np.array([0, 1])] * 9)) == 6
