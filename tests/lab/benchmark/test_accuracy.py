from __future__ import annotations

import pytest

from lwam_mm.lab.benchmark.accuracy import measure_miou
from lwam_mm.lab.benchmark.workshop import Network, Student


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
