import pytest

from lwam_mm.monitor.decide.policy import Policy, Rule
from lwam_mm.runtime import SettingError


@pytest.mark.parametrize(
    "wrong",
    [
        dict(severity="severe"),
        dict(least_area_px=-1),
        dict(least_area_mm2=-0.1),
        dict(least_probability=1.1),
        dict(layers=4, of=3),
        dict(of=0),
        dict(over_part=0),
        dict(end_share=2),
        dict(end_after=0),
    ],
)
def test_a_rule_that_cannot_work_is_refused_by_name(wrong):
    with pytest.raises(SettingError, match=rf"rule of Super: {next(iter(wrong))} is .*: give"):
        Rule("Super", **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        dict(reach_px=-1),
        dict(background_layers=-1),
        dict(camera_layers=0),
        dict(camera_severity=""),
    ],
)
def test_a_policy_that_cannot_work_is_refused_by_name(wrong):
    with pytest.raises(SettingError, match=f"{next(iter(wrong))} is .*: give"):
        Policy(**wrong)


def test_two_rules_for_the_same_are_refused():
    with pytest.raises(SettingError, match="two minor rules of Super"):
        Policy((Rule("Super"), Rule("Super", least_area_px=9)))
    Policy((Rule("Super"), Rule("Super", "critical")))


def test_a_rule_of_a_class_that_the_model_does_not_find_is_refused():
    policy = Policy((Rule("Hoping"),))
    with pytest.raises(SettingError, match="'Hoping', but the model finds Super, Hopping"):
        policy.check_classes(("Background", "Super", "Hopping"))
    with pytest.raises(SettingError, match="'Background'"):
        Policy((Rule("Background"),)).check_classes(("Background", "Super"))
    policy.check_classes(("Background", "Hoping"))
