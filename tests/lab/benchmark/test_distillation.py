from __future__ import annotations

import copy
import math

import pytest
from mmengine.config import Config

from lwam_mm.lab.benchmark.distillation import (
    ROWS,
    STOCK,
    TARGETS,
    DistillationRun,
    DistillationSettings,
    DistillationVariant,
    largest_difference,
    run_distillation_benchmark,
)


def heavier(config: Config) -> dict:
    """A distiller whose one loss weighs a thousandth more."""
    distiller = copy.deepcopy(config.model.distiller)
    distiller.distill_losses.loss_dist.loss_weight *= 1.001
    return distiller.to_dict()


@pytest.mark.end_to_end
def test_rows_side_by_side(narrow, monkeypatch):
    plain = ROWS["frozen"].model
    other = DistillationVariant("other loss", dict(plain, distiller=heavier(narrow)))
    monkeypatch.setitem(ROWS, "heavier", other)
    said = []
    keys = (STOCK, "openvino", "heavier")
    settings = DistillationSettings(
        narrow, size=64, batch=2, threads=1, rounds=3, rows=keys, data_steps=0
    )
    run = run_distillation_benchmark(settings, said.append)
    assert run.errors == {}
    figures = run.figures
    assert figures["stock.difference"] < 1e-6
    assert 0 < figures["openvino.difference"] < 1e-4
    assert 3e-4 < figures["heavier.difference"] < 2e-3
    assert figures["stock.drift"] == 0
    assert figures["openvino.drift"] > 0
    for key in keys:
        assert figures[f"{key}.rate"] > 0
        assert figures[f"{key}.steps"] == 3
        assert figures[f"{key}.peak"] > 100
    assert "round 3 of 3, 0 s left" in said
    assert narrow.train_dataloader.dataset.data_root == "data/powder_bed"  # left as it was


@pytest.mark.end_to_end
def test_rows_are_timed_even_if_there_is_nothing_to_compare_with(narrow, monkeypatch):
    monkeypatch.setitem(
        ROWS, STOCK, DistillationVariant("stock", dict(type="mmrazor.SingleFeature"))
    )
    settings = DistillationSettings(
        narrow, size=32, batch=2, threads=1, rounds=1, rows=("frozen",), data_steps=0
    )
    run = run_distillation_benchmark(settings)
    assert run.figures["frozen.rate"] > 0
    assert not {"frozen.difference", "frozen.drift"} & set(run.figures)
    (error,) = run.errors.values()
    assert "no loss differences" in error
    assert "mmrazor.SingleFeature" in error
    assert f"- stock's steps to compare with: {error}\n" in run.markdown()


def test_the_largest_difference_of_common_steps():
    reference = [dict(a=1.0, b=20.0), dict(a=1.0, b=20.0)]
    losses = [dict(a=1.0, b=20.0), dict(a=1.5, b=20.2, c=3.0), dict(a=9.0, b=9.0)]
    assert largest_difference(losses, reference) == pytest.approx(0.5)
    assert largest_difference(losses[:1], reference) == 0
    assert largest_difference([dict(a=1.0, b=22.0)], reference) == pytest.approx(0.1)
    assert largest_difference([dict(a=math.nan, b=20.0)], reference) == math.inf
    assert largest_difference([dict(a=1.0, b=20.0)], [dict(a=math.nan, b=20.0)]) == math.inf
    assert largest_difference([], reference) is None
    with pytest.raises(KeyError):
        largest_difference([dict(a=1.0)], reference)


STOCK_FIGURES = {"stock.rate": 2.0, "stock.steps": 3, "stock.difference": 0.0, "stock.peak": 1e3}
OURS = {"openvino.rate": 3.7, "openvino.difference": 9e-5, "openvino.peak": 1000.0}


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({}, None),
        ({"openvino.rate": 3.5}, "images a second at least 1.8 times stock's"),
        ({"openvino.difference": 2e-4}, "losses within 1e-4 of stock's from the same weights"),
        ({"openvino.peak": 1001.0}, "peak memory at most stock's"),
    ],
)
def test_targets(change, missed):
    figures = STOCK_FIGURES | OURS | change
    answers = {target.wording: target.answer(figures) for target in TARGETS}
    ours = {what: said for what, said in answers.items() if "OpenVINO:" in what}
    assert list(ours.values()).count("yes") == (2 if missed else 3)
    assert [w for w, said in ours.items() if said == "no"] == (
        [f"teacher in OpenVINO: {missed}"] if missed else []
    )
    kept_or_int8 = {said for what, said in answers.items() if what not in ours}
    assert kept_or_int8 == {"not measured"}


def test_page():
    figures = STOCK_FIGURES | OURS | {"openvino.steps": 5, "openvino.drift": 5e-4}
    figures |= {"openvino.peak": 900.0, "torch.steps": 0}
    run = DistillationRun((STOCK, "openvino", "torch"), figures, dict(processor="a fast one"))
    for _ in range(2):
        run.fail("torch", "its process was killed by signal 9")
    page = run.markdown()
    lines = [" ".join(line.split()) for line in page.splitlines()]
    title = ROWS["openvino"].title
    assert any("| loss difference, same weights | drift over own steps |" in line for line in lines)
    for line in (
        "- processor: a fast one",
        f"| {title} | 3.70 | 1.85x | 9.0e-05 | 5.0e-04 | 900 | - | 5 |",
        f"| {ROWS['torch'].title} | - | - | - | - | - | - | 0 |",
        f"- {ROWS['torch'].title}: its process was killed by signal 9",
        "| teacher in OpenVINO: images a second at least 1.8 times stock's | 1.85 x | yes |",
        "| teacher in OpenVINO: losses within 1e-4 of stock's from the same weights "
        "| 9e-05 | yes |",
    ):
        assert line in lines, line
