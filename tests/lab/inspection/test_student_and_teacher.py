from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from lwam_mm.lab.inspection.student_and_teacher import load_student_and_teacher
from lwam_mm.models.checkpoint import CheckpointMismatchError


@pytest.fixture
def models(repository, tmp_path):
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


def test_segmentor_alone(models):
    config, path = models["student"]
    student, teacher = load_student_and_teacher(config, path)
    assert teacher is None
    assert_holds(student, weights(path))


def test_distillation_brings_its_teacher(models):
    config, path = models["distillation"]
    student, teacher = load_student_and_teacher(config, path)
    assert_holds(student, weights(path, "architecture."))
    assert_holds(teacher, weights(path, "teacher."))
    # Of its own the teacher has one that normalises nothing.
    assert teacher.data_preprocessor.mean.flatten().tolist() == pytest.approx(
        [123.675, 116.28, 103.53]
    )


@pytest.mark.parametrize("of", ["student", "distillation"])
def test_given_teacher_comes_first(models, of):
    student, teacher = load_student_and_teacher(*models[of], models["teacher"])
    assert_holds(teacher, weights(models["teacher"][1]))
    assert_holds(student, weights(models[of][1], "architecture." if of != "student" else ""))


@pytest.mark.parametrize("of", ["student", "distillation"])
def test_folded(models, of):
    plain, _ = load_student_and_teacher(*models[of])
    folded, _ = load_student_and_teacher(*models[of], fold=True)
    names = folded.state_dict().keys()
    assert "backbone.stage0.0.folded.weight" in names
    assert not [name for name in names if "norm" in name]
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected, got = plain(image, mode="tensor"), folded(image, mode="tensor")
    assert torch.allclose(got, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))


def test_what_does_not_fit_is_refused(models):
    config, path = models["student"]
    with pytest.raises(CheckpointMismatchError, match=r"tools/extract_student\.py"):
        load_student_and_teacher(config, models["distillation"][1])
    with pytest.raises(CheckpointMismatchError, match="use the student's config"):
        load_student_and_teacher(models["distillation"][0], path)
    with pytest.raises(CheckpointMismatchError, match="of another model"):
        load_student_and_teacher(config, path, (config, models["teacher"][1]))
    with pytest.raises(FileNotFoundError, match=r"none\.pth: there is no such checkpoint"):
        load_student_and_teacher(config, path.with_name("none.pth"))
