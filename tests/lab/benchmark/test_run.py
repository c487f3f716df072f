from __future__ import annotations

import pytest

from lwam_mm.lab.benchmark import run
from lwam_mm.lab.benchmark.models import Network, Student
from lwam_mm.lab.benchmark.run import LayerTime, format_profile, measure_miou, profile_layers
from lwam_mm.lab.benchmark.timing import StartUp
from lwam_mm.utils.errors import UserError


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


def test_the_layers_of_an_int8_bundle(student, layers):
    found = profile_layers(student.bundle("openvino-int8"), layers[0], threads=1)
    convolutions = [layer for layer in found if layer.kind == "Convolution"]
    assert len(convolutions) == 11  # ten blocks and the classifier
    assert all(layer.kernel.lower().endswith(("i8", "u8")) for layer in convolutions)
    assert found == sorted(found, key=lambda layer: -layer.milliseconds)


def test_another_engine_cannot_be_profiled(student, layers):
    with pytest.raises(UserError, match="onnxruntime"):
        profile_layers(student.bundle("onnxruntime"), layers[0], threads=1)


def test_the_slowest_and_the_sum_are_written():
    layers = [
        LayerTime(f"layer{i}", "Convolution", "jit_f32", ms) for i, ms in enumerate((6, 3, 1))
    ]
    text = format_profile(layers, top=2)
    assert "layer0" in text
    assert "60.0%" in text
    assert "layer2" not in text
    assert "10.00  all 3 layers together" in text
