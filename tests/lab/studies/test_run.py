from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from lwam_mm.lab.studies.run import config_of, override, runs_of, with_teachers
from lwam_mm.lab.studies.study import StudyError

ARMS = {
    "t": dict(config="plain.py", overrides={"model.width": 16}),
    "a": dict(config="distillation.py", teacher="t"),
    "one": dict(config="distillation.py", teacher="t", teacher_seed=5),
}


def names(runs):
    return [run.name for run in runs]


def test_seed_by_seed_and_teachers_first(make_study, tmp_path):
    study = make_study(arms=ARMS)
    assert names(runs_of(study, tmp_path)) == [
        f"small/{arm}/seed-{seed}" for seed in (0, 1) for arm in ARMS
    ]
    assert names(with_teachers(runs_of(study, tmp_path, arms=["a", "one"], seeds=[1, 2]))) == [
        "small/t/seed-1", "small/a/seed-1", "small/t/seed-5", "small/one/seed-1",
        "small/t/seed-2", "small/a/seed-2", "small/one/seed-2",
    ]  # fmt: skip
    with pytest.raises(StudyError, match="no arm x; it has t, a, one"):
        runs_of(study, tmp_path, arms=["x"])


def test_a_shared_arm_has_the_folder_of_its_own_study(write_study, make_study, tmp_path):
    write_study("other", arms={"s": {}, **ARMS}, compare_with="s")
    study = make_study(
        arms={"x": dict(study="other.py", arm="a"), "t": dict(study="other.py")}, compare_with="x"
    )
    runs = with_teachers(runs_of(study, tmp_path, seeds=[0]))
    assert names(runs) == ["other/t/seed-0", "other/a/seed-0"]
    assert runs[1].folder == tmp_path / "other" / "a" / "seed-0"


def test_config_has_seed_folder_and_overrides(make_study, tmp_path):
    (run,) = runs_of(make_study(), tmp_path, arms=["b"], seeds=[4])
    config = config_of(run, options={"model.parts": [9]})
    assert config.randomness.seed == 4
    assert config.model.to_dict() == dict(type="Plain", width=8, parts=[9])
    assert Path(config.work_dir) == run.folder


def test_the_teacher_is_that_of_its_own_arm(make_study, tmp_path):
    (run,) = runs_of(make_study(arms=ARMS), tmp_path, arms=["a"], seeds=[0])
    config = config_of(run, Path("teacher.pth"))
    assert config.model.teacher.to_dict() == dict(type="Plain", width=16, parts=[1, 2, 3])
    assert config.model.teacher_ckpt == "teacher.pth"


@pytest.mark.parametrize(("mean", "kept"), [([9.0], True), ([1.0], False)])
def test_only_a_teacher_of_another_normalisation_keeps_its_preprocessor(
    make_study, tmp_path, mean, kept
):
    """MMRazor's teachers share their student's; of a difference the distillation has to know."""

    def preprocessor(scope, mean):
        return {"model.data_preprocessor": dict(type=f"{scope}Pre", mean=mean, std=[2.0])}

    arms = {
        "t": dict(config="plain.py", overrides=preprocessor("", mean)),
        "a": dict(config="distillation.py", teacher="t", overrides=preprocessor("mmseg.", [1.0])),
    }
    (run,) = runs_of(make_study(arms=arms), tmp_path, arms=["a"], seeds=[0])
    teacher = config_of(run).model.teacher
    assert ("data_preprocessor" in teacher) == kept


def test_only_a_distillation_has_a_teacher(make_study, tmp_path):
    study = make_study(arms={"t": {}, "a": dict(teacher="t")})
    (run,) = runs_of(study, tmp_path, arms=["a"], seeds=[0])
    with pytest.raises(StudyError, match=r"plain\.py is no distillation"):
        config_of(run)


@pytest.fixture
def config():
    return Config(dict(model=dict(loss=dict(type="A", weight=2.0), parts=[dict(x=1), dict(x=2)])))


def test_a_value_replaces_the_whole(config):
    override(config, [], {"model.loss": dict(type="B"), "model.parts.1.x": 5, "model.new": 1}, "s")
    assert config.model.to_dict() == dict(loss=dict(type="B"), parts=[dict(x=1), dict(x=5)], new=1)


def test_what_is_removed_is_gone_before_values_are_set(config):
    override(config, ["model.loss", "model.parts.0"], {"model.parts.0.x": 9}, "s")
    assert config.model.to_dict() == dict(parts=[dict(x=9)])


def test_two_configs_do_not_share_a_value(config):
    value = dict(x=3)
    override(config, [], {"model.parts.0": value}, "s")
    config.model.parts[0]["x"] = 4
    assert value == dict(x=3)


@pytest.mark.parametrize(
    ("remove", "overrides", "message"),
    [
        (["model.lost"], {}, r"study: remove 'model.lost': there is no 'lost'; there is \['loss'"),
        ([], {"modle.loss": 1}, "'modle.loss': there is no 'modle'"),
        ([], {"model.parts.2": 1}, "there is no 2; it is a list of 2"),
        ([], {"model.loss.type.x": 1}, "model.loss.type is 'A', which has no keys"),
    ],
)
def test_a_key_that_does_not_exist_is_named(config, remove, overrides, message):
    with pytest.raises(StudyError, match=message):
        override(config, remove, overrides, "study")
