from __future__ import annotations

import pytest

from lwam_mm.lab.benchmark import run
from lwam_mm.lab.benchmark.models import Network, Student
from lwam_mm.lab.benchmark.run import measure_miou
from lwam_mm.lab.benchmark.timing import StartUp


def test_trained_models_are_evaluated(networks, student, layers, tmp_path):
    plain = student.network
    trained = Network(plain.config, plain.checkpoint, layers, tmp_path / "trained", 64)
    keys = ["teacher", "folded", "channels-last", "openvino", "openvino-file"]
    found = measure_miou(keys, networks["teacher"], Student(trained, student.classes), images=3)
    assert sorted(found) == ["folded", "openvino"]
    assert 0 < found["folded"] < 100
    assert found["openvino"] == pytest.approx(found["folded"], abs=0.1)


def test_random_weights_have_no_miou(networks, student):
    assert measure_miou(["teacher", "folded"], networks["teacher"], student, images=3) == {}


def test_a_start_up_that_fails_is_noted_and_the_rest_measured(student, monkeypatch):
    def fail(key):
        raise RuntimeError("no memory")

    good = StartUp("a", 1, 1, 1, None)
    monkeypatch.setattr(student, "dynamic_bundle", fail)
    monkeypatch.setattr(run, "time_start_up", lambda *_: good)
    said, notes = [], []
    assert run._time_start_ups(student, ["openvino"], 1, said.append, notes) == {"openvino": good}
    assert notes == ["start-up of openvino tiles was not measured: RuntimeError: no memory"]
    assert said == ["start-up: openvino", "start-up: openvino tiles"]
