from __future__ import annotations

import json
import runpy
import time

import pytest
from mmengine.config import Config

from lwam_mm.benchmark.distillation import (
    ROWS,
    STOCK,
    Report,
    Result,
    Settings,
    _prepare,
    judge,
    largest_difference,
    run,
)
from lwam_mm.benchmark.distillation_job import steps_with_data
from lwam_mm.datasets.powder_bed import PowderBedDataset


@pytest.fixture
def narrow(repository) -> Config:
    base = "configs/distill/kd-unetpp-w32_lwrnet-w64_1xb8-2000e_powder-bed-1024x1024.py"
    config = Config.fromfile(repository / base)
    for net, width in (("architecture", 8), ("teacher", 4)):
        config.model[net].backbone.base_channels = width
        config.model[net].decode_head.base_channels = width
    config.train_dataloader.update(num_workers=0, persistent_workers=False)
    return config


@pytest.mark.end_to_end
def test_two_rows_side_by_side(narrow):
    said = []
    settings = Settings(
        narrow, size=64, batch=2, threads=1, rounds=3, rows=(STOCK, "openvino"), data_steps=0
    )
    report = run(settings, said.append)
    stock, ours = report.results
    assert [stock.error, ours.error] == ["", ""]
    assert stock.difference == 0
    assert 0 < ours.difference < 1e-4
    for result in report.results:
        assert result.rate > 0
        assert result.steps == 3
        assert result.peak > 100
    assert "round 3 of 3, 0 s left" in said
    assert narrow.train_dataloader.dataset.data_root == "data/powder_bed"  # left as it was


def test_waiting_for_data_is_measured(narrow, tmp_path, monkeypatch):
    common = _prepare(Settings(narrow, size=32, batch=2, threads=1), tmp_path)
    out = tmp_path / "waiting.json"
    load = PowderBedDataset.__getitem__

    def load_slowly(self, index):
        time.sleep(0.5)
        return load(self, index)

    monkeypatch.setattr(PowderBedDataset, "__getitem__", load_slowly)
    steps_with_data(**common, model=dict(teacher_engine=None), amp=False, steps=3, waiting=out)()
    assert 0.5 < json.loads(out.read_text()) < 1


def test_the_largest_difference_of_common_steps():
    reference = [dict(a=1.0, b=20.0), dict(a=1.0, b=20.0)]
    losses = [dict(a=1.0, b=20.0), dict(a=1.5, b=20.2, c=3.0), dict(a=9.0, b=9.0)]
    assert largest_difference(losses, reference) == pytest.approx(0.5)
    assert largest_difference(losses[:1], reference) == 0
    assert largest_difference([dict(a=1.0, b=22.0)], reference) == pytest.approx(0.1)
    assert largest_difference([], reference) is None
    with pytest.raises(KeyError):
        largest_difference([dict(a=1.0)], reference)


def results(rate: float, difference: float, peak: float) -> list[Result]:
    rows = [Result(STOCK, rate=2.0, steps=3, difference=0.0, peak=1000.0)]
    return [*rows, Result("openvino", rate=rate, steps=5, difference=difference, peak=peak)]


def test_verdicts():
    good = {v.target.wording: v.answer for v in judge(results(3.7, 9e-5, 1000.0))}
    assert list(good.values()) == ["yes", "yes", "not measured", "yes", "not measured"]
    bad = {v.target.wording: v.answer for v in judge(results(3.5, 2e-4, 1001.0))}
    assert list(bad.values()) == ["no", "no", "not measured", "no", "not measured"]


def test_page():
    rows = results(3.7, 9e-5, 900.0)
    rows.append(Result("torch", error="its process was killed by signal 9"))
    page = Report(rows, dict(processor="a fast one"), judge(rows)).markdown()
    title = ROWS["openvino"][0]
    assert f"| {title} | 3.70 | 1.85x | 9.0e-05 | 900 | - | 5 |" in page
    assert f"| {ROWS['torch'][0]} | - | - | - | - | - | 0 |" in page
    assert f"- {ROWS['torch'][0]}: its process was killed by signal 9" in page
    assert (
        "| teacher in OpenVINO: images a second at least 1.8 times stock's | 1.85 x | yes |" in page
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--size", "100"], "--size 100"), (["--rounds", "0"], "--rounds 0"),
     (["--data-steps", "1"], "--data-steps 1")],
)  # fmt: skip
def test_figures_that_make_no_sense_are_refused(repository, arguments, message, capsys):
    main = runpy.run_path(str(repository / "tools/benchmark_distillation.py"))["main"]
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err
