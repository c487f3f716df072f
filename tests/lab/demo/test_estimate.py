from __future__ import annotations

import re

import pytest

from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.lab.demo.data import adopt
from lwam_mm.lab.demo.estimate import expected_time, seconds_per_batch
from lwam_mm.lab.demo.light_net import light_config


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo") / "data"
    generate_dataset(root, images=12, size=64, seed=3)
    return adopt(root, None, lambda line: None)


def test_a_few_batches_are_timed_and_the_config_stays_as_it_is(data, tmp_path):
    config = light_config(data, tmp_path, 7)
    before = config.pretty_text
    iteration, frame = seconds_per_batch(config)
    assert iteration > 0
    assert frame > 0
    assert config.pretty_text == before


def test_more_iterations_take_longer(data, tmp_path):
    def minutes(iterations: int) -> int:
        said = expected_time(light_config(data, tmp_path, iterations), data)
        assert said.startswith(f"{iterations} batches of 16 crops of 64x64 take ")
        return int(re.search(r"about (\d+) minute", said)[1])

    assert minutes(1_000_000) > minutes(1)
