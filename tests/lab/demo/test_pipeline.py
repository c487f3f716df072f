"""The order of the stages and what they hand on; the trainings themselves are replaced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lwam_mm.datasets.problem import DatasetError
from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.lab.demo import pipeline
from lwam_mm.lab.demo.light_net import START
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
    """What each stage was called with, by its name; trainings and exports are in lists."""
    calls = {"train": [], "export_bundle": []}

    def train(config):
        calls["train"].append(config)
        return Path(config.work_dir) / "best.pth"

    def compare(trained, exported, data):
        calls["compare"] = trained, exported
        names = [model.name for model in [*trained, *exported]]
        mask = np.zeros((8, 8), np.uint8)
        sample = Sample("layer.png", np.zeros((8, 8, 3), np.uint8), mask, {names[-1]: mask})
        ious = [50.0] * len(data.classes)
        return [ModelScores(name, 50.0, ious) for name in names], [sample]

    def export_bundle(config, checkpoint, out, *, dynamic, **_):
        calls["export_bundle"].append((config, checkpoint, out, dynamic))

    monkeypatch.setattr(pipeline, "train", train)
    monkeypatch.setattr(pipeline, "compare", compare)
    monkeypatch.setattr(pipeline, "export_bundle", export_bundle)
    monkeypatch.setattr(pipeline, "expected_time", lambda config, data: "about 3 minutes")
    monkeypatch.setattr(pipeline, "Predictor", lambda bundle, roi: (bundle, roi))
    for name in ("extract_student", "predict_files", "monitor_build"):
        monkeypatch.setattr(
            pipeline, name, lambda *given, _name=name, **_: calls.update({_name: given})
        )
    return calls


def stages(printed: str) -> list[str]:
    return [line.split()[1] for line in printed.splitlines() if line.startswith("=== ")]


def test_drawn_layers_go_through_every_net_and_end_monitored(calls, tmp_path, capsys):
    report = Demo(tmp_path, iterations=8).run()

    _, student, distillation, light = calls["train"]
    for config in calls["train"]:
        assert config.train_dataloader.dataset.data_root == str(tmp_path / "data")
        assert config.train_cfg.max_iters == 8
    best = [Path(config.work_dir) / "best.pth" for config in calls["train"]]
    assert distillation.model.teacher_ckpt == str(best[0])
    assert light.load_from == START
    distilled, bundle = tmp_path / "distilled_student.pth", tmp_path / "bundle"
    assert calls["extract_student"] == (best[2], distilled)
    exports = {out: given for *given, out, _ in calls["export_bundle"]}
    assert exports[bundle][0].model == light.model
    assert exports[bundle][1] == best[3]
    assert exports[tmp_path / "bundle_student"][0].model == student.model
    assert exports[tmp_path / "bundle_student"][1] == distilled
    trained, exported = calls["compare"]
    assert [(model.checkpoint, model.folded) for model in trained] == [
        (best[0], False),
        (best[1], False),
        (distilled, False),
        (distilled, True),
        (best[3], False),
        (best[3], True),
    ]
    folded = [model.name for model in trained if model.folded]
    assert [model.made_of for model in exported] == folded
    layers = tmp_path / "data" / "images" / "test"
    assert calls["predict_files"] == ((bundle, None), [layers], tmp_path / "predictions")
    assert calls["monitor_build"] == (tmp_path / "monitor", bundle)
    assert report == tmp_path / "report.html"
    assert (tmp_path / "layers.png").is_file()
    printed = capsys.readouterr().out
    assert stages(printed) == [f"{stage}/9" for stage in range(1, 10)]
    assert f"python tools/monitor.py run {tmp_path / 'monitor' / 'monitor.toml'}" in printed
    assert f"Open {report} and {tmp_path / 'monitor' / 'report.html'}, " in printed


def test_a_region_of_interest_is_trained_tested_and_predicted_with(
    calls, data_root, tmp_path, capsys
):
    roi = tmp_path / "my roi.json"
    roi.write_text("[[[0, 0], [20, 0], [20, 47], [0, 47]]]")
    Demo(tmp_path, data_root, iterations=8, roi=roi).run()
    (light,) = calls["train"]
    drawn = [step for step in light.train_dataloader.dataset.pipeline if step.type == "DrawDefects"]
    assert [step.roi for step in drawn] == [str(roi)]
    assert light.test_dataloader.dataset.roi == light.val_dataloader.dataset.roi == str(roi)
    assert calls["predict_files"][0] == (tmp_path / "bundle", str(roi))
    printed = capsys.readouterr().out
    assert f"IMAGES --out DIR --roi '{roi}'\n" in printed
    assert f"ITERATIONS=24 ROI='{roi}'\n" in printed


def test_own_frames_fit_the_light_net_to_them(calls, data_root, tmp_path, capsys):
    report = Demo(tmp_path, data_root, iterations=8).run()

    (light,) = calls["train"]
    assert light.load_from == START
    assert light.train_cfg.max_iters == 8
    best, bundle = Path(light.work_dir) / "best.pth", tmp_path / "bundle"
    ((_, checkpoint, out, dynamic),) = calls["export_bundle"]
    assert (checkpoint, out, dynamic) == (best, bundle, True)
    trained, (exported,) = calls["compare"]
    assert [(model.checkpoint, model.folded) for model in trained] == [
        (START, False),
        (best, False),
        (best, True),
    ]
    assert (exported.bundle, exported.made_of) == (bundle, trained[-1].name)
    assert "monitor_build" not in calls
    page = report.read_text(encoding="utf-8")
    assert f"make demo DATA={data_root} ITERATIONS=24" in page
    assert "IoU in percent on data (test, 2 frames)." in page
    printed = capsys.readouterr().out
    assert stages(printed) == [f"{stage}/5" for stage in range(1, 6)]
    assert printed.index("about 3 minutes") < printed.index("=== 3/5")
    for command in (
        f"python tools/predict.py {bundle} IMAGES --out DIR",
        f"python tools/monitor.py init {bundle} WATCHED_FOLDER --out monitor.toml",
    ):
        assert command in printed
        assert command in page


def test_shipped_weights_are_not_judged_on_other_classes(calls, data_root, tmp_path):
    Demo(tmp_path, data_root, list("abcdef"), iterations=8).run()
    trained, _ = calls["compare"]
    assert START not in [model.checkpoint for model in trained]
    (light,) = calls["train"]
    assert light.load_from == str(Path(light.work_dir) / "start.pth")


def test_configs_keep_their_iterations(calls, tmp_path):
    Demo(tmp_path).run()
    *configs, light = [config.train_cfg.max_iters for config in calls["train"]]
    assert configs == [400, 500, 500]
    assert light == pipeline.LIGHT_ITERATIONS


def test_bad_data_is_refused_before_anything_is_trained(calls, tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        Demo(tmp_path, tmp_path / "absent").run()
    assert calls["train"] == []
