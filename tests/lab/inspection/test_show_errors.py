from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.engine.launch import evaluate, load_config
from lwam_mm.evaluation.scores import confusion_to_metrics
from lwam_mm.lab.inspection.show_errors import load_student_and_teacher, show_errors
from lwam_mm.models.checkpoint import CheckpointMismatchError

SIZE, NARROW = 32, dict(student=8, teacher=4)
DEMO = {
    "student": "lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96.py",
    "teacher": "unetpp-w8_1xb4-400i_powder-bed-synthetic-96x96.py",
    "distillation": "kd-unetpp-w8_lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96.py",
}


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("errors") / "data"
    generate_dataset(root, images=24, size=SIZE, seed=0)
    return root


@pytest.fixture(scope="module")
def models(repository, data_root, tmp_path_factory) -> dict[str, tuple[Path, Path]]:
    """Config file and checkpoint of the demo's nets, narrow, with random weights."""
    folder, found = tmp_path_factory.mktemp("models"), {}
    for name, file in DEMO.items():
        net = "dict(backbone=dict(base_channels={0}), decode_head=dict(base_channels={0}))"
        if name == "distillation":
            student, teacher = (net.format(width) for width in NARROW.values())
            changes = f"dict(architecture={student}, teacher={teacher})"
        else:
            changes = net.format(NARROW[name])
        path = folder / f"{name}.py"
        path.write_text(
            f"_base_ = [{str(repository / 'configs' / 'demo' / file)!r}]\n"
            f"model = {changes}\n"
            "for loader in (_base_.val_dataloader, _base_.test_dataloader):\n"
            f"    loader.dataset.pipeline[1].scale = ({SIZE}, {SIZE})\n"
            "    loader.num_workers = 0\n"
            "    loader.persistent_workers = False\n"
            "log_level = 'ERROR'\n"
        )
        config = load_config(path, data_root=data_root)
        init_default_scope("mmseg")
        torch.manual_seed(0)
        model = MODELS.build(config.model)
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
        torch.save(dict(state_dict=model.state_dict()), folder / f"{name}.pth")
        found[name] = path, folder / f"{name}.pth"
    return found


@pytest.fixture(scope="module")
def tool(repository):
    return runpy.run_path(str(repository / "tools" / "show_errors.py"))["main"]


@pytest.mark.parametrize(("of", "fold"), [("student", False), ("distillation", True)])
def test_figures_are_those_of_the_test(models, data_root, tmp_path, of, fold):
    config = load_config(models[of][0], data_root=data_root, work_dir=tmp_path / "work")
    findings = show_errors(config, models[of][1], tmp_path / "a.html", worst=2, fold=fold)
    judged = next(iter(findings.confusion))
    scores = confusion_to_metrics(findings.confusion[judged])
    tested = evaluate(config, models[of][1], fold=fold)
    assert scores.means["mIoU"] == pytest.approx(tested["mIoU"])
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert f">{tested['mIoU']:.2f}</td>" in page
    assert f">{tested['IoU.Background']:.2f}</td>" in page
    assert findings.images == len(list((data_root / "images" / "test").iterdir()))
    names = dict(student=["prediction"], distillation=["student", "teacher"])[of]
    assert list(findings.confusion) == names
    assert len(findings.worst) == 2
    assert findings.worst[0].score <= findings.worst[1].score < 100


def test_tool_with_a_teacher(tool, models, data_root, tmp_path, capsys):
    out = tmp_path / "new" / "errors.html"
    teacher = map(str, models["teacher"])
    arguments = [*map(str, models["student"]), "--data-root", str(data_root), "--teacher", *teacher]
    assert tool([*arguments, "--worst", "3", "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    page = out.read_text(encoding="utf-8")
    assert page.count("<img ") == 3 * 5
    for what in ("image", "truth", "teacher", "student", "difference"):
        assert page.count(f': {what}"></label>') == 3
    assert "What student.pth does wrong" in page
    assert "--worst 3" in page
    assert page.count('class="curve other"') >= 3
    assert [path.name for path in out.parent.iterdir()] == ["errors.html"]


def test_teacher_is_seen_as_its_own_test_sees_it(models, data_root, tmp_path):
    config = load_config(models["teacher"][0], data_root=data_root, work_dir=tmp_path / "work")
    tested = evaluate(config, models["teacher"][1])
    findings = show_errors(
        load_config(models["student"][0], data_root=data_root),
        models["student"][1],
        tmp_path / "a.html",
        teacher=(config, models["teacher"][1]),
        worst=0,
    )
    confusion = findings.confusion["teacher"]
    assert confusion_to_metrics(confusion).means["mIoU"] == pytest.approx(tested["mIoU"])
    assert not np.array_equal(confusion, findings.confusion["student"])


def test_errors_are_one_message_and_nothing_is_left(
    models, data_root, repository, tmp_path, monkeypatch, capsys
):
    config, checkpoint = models["student"][0], models["distillation"][1]
    out = tmp_path / "errors.html"
    arguments = [config, checkpoint, "--data-root", data_root, "--out", out]
    monkeypatch.setattr(sys, "argv", ["show_errors.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(repository / "tools" / "show_errors.py"), run_name="__main__")
    assert ended.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith(f"error: {checkpoint} does not fit the model")
    assert "tools/extract_student.py" in message
    assert not out.exists()


def test_wrong_use_exits_with_2(tool):
    with pytest.raises(SystemExit) as ended:
        tool(["a.py", "a.pth", "--worst", "-1"])
    assert ended.value.code == 2


# ---- loading the networks


@pytest.fixture
def built(repository, tmp_path):
    """Configs of a narrow distillation, student and teacher, each with random weights."""
    init_default_scope("mmseg")
    found = {}
    for name, file in (
        ("distillation", "kd_unetpp_lwrnet"),
        ("student", "lwrnet"),
        ("teacher", "unetpp"),
    ):
        config = Config.fromfile(repository / "configs" / "_base_" / "models" / f"{file}.py")
        nets = (
            dict(student=config.model.architecture, teacher=config.model.teacher)
            if name == "distillation"
            else {name: config.model}
        )
        for kind, net in nets.items():
            net.backbone.base_channels = dict(student=8, teacher=4)[kind]
            net.decode_head.base_channels = net.backbone.base_channels
        model = MODELS.build(config.model)
        with torch.no_grad():
            for parameter in model.parameters():
                torch.nn.init.normal_(parameter)
        torch.save(dict(state_dict=model.state_dict()), tmp_path / f"{name}.pth")
        found[name] = config, tmp_path / f"{name}.pth"
    return found


def weights(path, prefix="") -> dict:
    state = torch.load(path, weights_only=True)["state_dict"]
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def assert_holds(model, expected) -> None:
    state = model.state_dict()
    assert expected
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    assert not any(module.training for module in model.modules())


def test_segmentor_alone(built):
    config, path = built["student"]
    student, teacher = load_student_and_teacher(config, path)
    assert teacher is None
    assert_holds(student, weights(path))


def test_distillation_brings_its_teacher(built):
    config, path = built["distillation"]
    student, teacher = load_student_and_teacher(config, path)
    assert_holds(student, weights(path, "architecture."))
    assert_holds(teacher, weights(path, "teacher."))
    # Of its own the teacher has one that normalises nothing.
    assert teacher.data_preprocessor.mean.flatten().tolist() == pytest.approx(
        [123.675, 116.28, 103.53]
    )


@pytest.mark.parametrize("of", ["student", "distillation"])
def test_given_teacher_comes_first(built, of):
    student, teacher = load_student_and_teacher(*built[of], built["teacher"])
    assert_holds(teacher, weights(built["teacher"][1]))
    assert_holds(student, weights(built[of][1], "architecture." if of != "student" else ""))


@pytest.mark.parametrize("of", ["student", "distillation"])
def test_folded(built, of):
    plain, _ = load_student_and_teacher(*built[of])
    folded, _ = load_student_and_teacher(*built[of], fold=True)
    names = folded.state_dict().keys()
    assert "backbone.stage0.0.folded.weight" in names
    assert not [name for name in names if "norm" in name]
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected, got = plain(image, mode="tensor"), folded(image, mode="tensor")
    assert torch.allclose(got, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))


def test_what_does_not_fit_is_refused(built):
    config, path = built["student"]
    with pytest.raises(CheckpointMismatchError, match=r"tools/extract_student\.py"):
        load_student_and_teacher(config, built["distillation"][1])
    with pytest.raises(CheckpointMismatchError, match="use the student's config"):
        load_student_and_teacher(built["distillation"][0], path)
    with pytest.raises(CheckpointMismatchError, match="of another model"):
        load_student_and_teacher(config, path, (config, built["teacher"][1]))
    with pytest.raises(FileNotFoundError, match=r"none\.pth: there is no such checkpoint"):
        load_student_and_teacher(config, path.with_name("none.pth"))
