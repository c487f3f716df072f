from __future__ import annotations

import pytest
from mmengine.config import Config

from lwam_mm.lab.studies.overrides import override
from lwam_mm.lab.studies.study import StudyError


@pytest.fixture
def config():
    return Config(dict(model=dict(loss=dict(type="A", weight=2.0), parts=[dict(x=1), dict(x=2)])))


def test_a_value_takes_the_place_whole(config):
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
        ([], {"model.loss.type.x": 1}, "model.loss.type is 'A', which holds nothing"),
    ],
)
def test_a_key_that_leads_nowhere_is_named(config, remove, overrides, message):
    with pytest.raises(StudyError, match=message):
        override(config, remove, overrides, "study")
