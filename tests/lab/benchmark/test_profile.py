from __future__ import annotations

import pytest

from lwam_mm.lab.benchmark.profile import LayerTime, format_profile, profile_layers
from lwam_mm.utils.errors import UserError


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
