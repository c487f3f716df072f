import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwam_mm.monitor.config.policy_file import read_policy, write_policy
from lwam_mm.monitor.decide.policy import Policy, Rule
from lwam_mm.utils.errors import ConfigError

RULE = st.builds(
    Rule,
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.sampled_from(["minor", "critical"]),
    least_area_px=st.floats(0, 1e6),
    least_area_mm2=st.none() | st.floats(0, 1e6),
    layers=st.integers(1, 3),
    of=st.integers(3, 9),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(RULE, max_size=4, unique_by=lambda rule: (rule.class_name, rule.severity)))
def test_rules_are_read_as_they_were_written(tmp_path_factory, rules):
    path = tmp_path_factory.mktemp("policy") / "rules.toml"
    policy = Policy(tuple(rules), camera_layers=3)
    write_policy(path, policy, "Calibrated on two builds.\nBudget: 1")
    assert read_policy(path) == policy


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("camera_layer = 1", "camera_layer: "),
        ("reach_px = -1", "reach_px is -1: give 0 or more"),
        ("reach_px = 'far'", "reach_px: "),
        ("[[rules]]\nseverity = 'minor'", "rules.0.class_name: "),
        ("[[rules]]\nclass_name = 'Super'\nseverity = 'bad'", "rules.0.severity: "),
        ("[[rules]]\nclass_name = 'Super'\nleast_area = 3", "rules.0.least_area: "),
        ("[[rules]]\nclass_name = 'Super'\nlayers = 4\nof = 3", "layers is 4: give 1 to of = 3"),
        ("reach_px = ", "as TOML"),
    ],
)
def test_an_error_names_file_and_key(tmp_path, text, error):
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_policy(path)
    assert str(path) in str(caught.value)
    assert error in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read"):
        read_policy(tmp_path / "none.toml")
