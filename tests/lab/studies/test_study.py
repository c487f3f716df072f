from __future__ import annotations

import pytest

from lwam_mm.lab.studies.study import StudyError, read_study


def test_reads_top_to_bottom(make_study):
    study = make_study(
        arms={
            "teacher": dict(config="plain.py"),
            "taught": dict(config="distillation.py", teacher="teacher", teacher_seed=3),
            "b": dict(remove=["model.parts.0"], overrides={"model.width": 8}),
        },
        compare_with="b",
        metrics=["mIoU"],
        checkpoint="best",
        amp=True,
    )
    assert study.name == "small"
    assert list(study.arms) == ["teacher", "taught", "b"]
    assert study.seeds == (0, 1)
    assert study.metrics == ("mIoU",)
    assert (study.checkpoint, study.amp) == ("best", True)
    assert study.arms["b"].config.name == "plain.py"
    assert study.arms["b"].overrides == {"model.width": 8}
    assert study.arms["taught"].teacher == "teacher"
    assert study.arms["taught"].teacher_seed == 3


def test_defaults_say_last_and_regions(make_study):
    study = make_study(_own="not a key of the format")
    assert (study.checkpoint, study.amp) == ("last", False)
    assert study.metrics[0] == "mIoU"
    assert study.evaluators == (dict(type="RegionMetric"),)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (dict(titel="x"), "unknown titel"),
        (dict(seeds=[]), "seeds is missing"),
        (dict(seeds=["a"]), "whole numbers"),
        (dict(checkpoint="newest"), "'newest': use one of"),
        (dict(compare_with="c"), "compare_with='c' is no arm"),
        (dict(arms={"a": dict(override={})}), "arm 'a': unknown override"),
        (dict(arms={"a/b": {}}), "'a/b': use letters"),
        (dict(arms={"a": dict(config="gone.py")}), "gone.py: there is no such config"),
        (dict(base=None), "has no config"),
        (dict(arms={"a": dict(teacher="t")}), "teacher='t' is no arm"),
        (dict(arms={"a": dict(teacher_seed=1)}), "teacher_seed, but no teacher"),
        (
            dict(arms={"a": dict(teacher="b"), "b": dict(teacher="c"), "c": {}}),
            "teacher='b' has a teacher itself",
        ),
        (dict(arms={"a": dict(study="other.py", overrides={})}), "'overrides'"),
        (dict(arms={"a": dict(study="other.py")}), "no such study"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(write_study, said, message):
    with pytest.raises((StudyError, FileNotFoundError), match=message):
        read_study(write_study(**said))


def test_an_arm_of_another_study_keeps_its_runs(write_study, make_study):
    write_study("other", arms={"a": {}, "s": dict(overrides={"model.width": 2})})
    study = make_study(arms={"a": {}, "mine": dict(study="other.py", arm="s")})
    arm = study.arms["mine"]
    assert (arm.name, arm.original, arm.study.name) == ("mine", "s", "other")
    assert arm.overrides == {"model.width": 2}


def test_a_shared_arm_has_to_be_judged_alike_and_to_be_there(write_study):
    write_study("other", checkpoint="best")
    with pytest.raises(StudyError, match="checkpoint is 'last' here and 'best' in"):
        read_study(write_study(arms={"a": dict(study="other.py")}))
    write_study("other")
    with pytest.raises(StudyError, match="does not train 'z'"):
        read_study(write_study(arms={"a": dict(study="other.py", arm="z")}))
