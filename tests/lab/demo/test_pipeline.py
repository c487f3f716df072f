"""The order of the stages and what they hand on; the trainings themselves are replaced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lwam_mm.datasets.problem import DatasetError
from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.lab.demo import pipeline
from lwam_mm.lab.demo.pipeline import Demo
from lwam_mm.lab.pages.pictures import Sample
from lwam_mm.lab.pages.table import ModelScores


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("demo") / "data"
    generate_dataset(root, images=12, size=48, seed=3)
    return root


@pytest.fixture
def calls(monkeypatch):
    """What each stage was called with, by its name."""
    calls = {"train": []}

    def train(config):
        calls["train"].append(config)
        return Path(config.work_dir) / "best.pth"

    def compare(trained, exported, bundle, classes, size):
        calls["compare"] = trained, exported, bundle
        mask = np.zeros((8, 8), np.uint8)
        sample = Sample("layer.png", np.zeros((8, 8, 3), np.uint8), mask, {exported: mask})
        names = [*(model.name for model in trained), exported]
        return [ModelScores(name, 50.0, [50.0] * len(classes)) for name in names], [sample]

    monkeypatch.setattr(pipeline, "train", train)
    monkeypatch.setattr(pipeline, "compare", compare)
    monkeypatch.setattr(pipeline, "Predictor", lambda bundle: bundle)
    for name in ("extract_student", "export_bundle", "predict_files"):
        monkeypatch.setattr(
            pipeline, name, lambda *given, _name=name, **_: calls.update({_name: given})
        )
    return calls


def test_each_stage_takes_what_the_one_before_made(calls, data_root, tmp_path, capsys):
    report = Demo(tmp_path, data_root, iterations=7).run()

    teacher, student, distillation = calls["train"]
    for config, name in (
        (teacher, pipeline.TEACHER),
        (student, pipeline.STUDENT),
        (distillation, pipeline.DISTILLED),
    ):
        assert config.work_dir == str(tmp_path / name.removesuffix(".py"))
        assert config.train_dataloader.dataset.data_root == str(data_root)
        assert config.train_cfg.max_iters == config.train_cfg.val_interval == 7
        assert config.default_hooks.checkpoint.interval == 7
    assert distillation.model.teacher_ckpt == f"{teacher.work_dir}/best.pth"
    distilled, bundle = tmp_path / "distilled_student.pth", tmp_path / "bundle"
    assert calls["extract_student"] == (Path(distillation.work_dir) / "best.pth", distilled)
    config, *exported = calls["export_bundle"]
    assert exported == [distilled, bundle]
    assert config.model.type == student.model.type
    trained, _, compared = calls["compare"]
    assert compared == bundle
    assert [(model.checkpoint, model.folded) for model in trained] == [
        (Path(teacher.work_dir) / "best.pth", False),
        (Path(student.work_dir) / "best.pth", False),
        (distilled, False),
        (distilled, True),
    ]
    assert calls["predict_files"] == (
        bundle, [data_root / "images" / "test"], tmp_path / "predictions",
    )  # fmt: skip
    assert report == tmp_path / "report.html"
    page = report.read_text(encoding="utf-8")
    assert f"make demo DATA={data_root}" in page
    assert "IoU in percent on data (test)." in page
    assert (tmp_path / "layers.png").is_file()
    printed = capsys.readouterr().out
    assert [f"=== {stage}/7 " in printed for stage in range(1, 8)] == [True] * 7


def test_configs_keep_their_iterations(calls, data_root, tmp_path):
    Demo(tmp_path, data_root).run()
    assert [config.train_cfg.max_iters for config in calls["train"]] == [400, 1000, 1000]


def test_bad_data_is_refused_before_anything_is_trained(calls, tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        Demo(tmp_path, tmp_path / "absent").run()
    assert calls == {"train": []}
