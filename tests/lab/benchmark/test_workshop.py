from __future__ import annotations

import numpy as np
import pytest
import torch

from lwam_mm.lab.benchmark.models import build, image_for, logits
from lwam_mm.runtime import Predictor
from lwam_mm.runtime.engines.load_engine import load_engine


@pytest.fixture(scope="module")
def expected(student, layers) -> np.ndarray:
    network = student.network
    model = build(network.config_file, network.checkpoint, folded=False)
    with torch.no_grad():
        return logits(model, image_for(model, layers[0])).numpy()


@pytest.mark.parametrize("key", ["onnxruntime", "openvino", "ncnn"])
def test_a_plain_bundle_takes_a_tensor_and_answers_as_torch(key, student, layers, expected):
    bundle = student.bundle(key)
    assert bundle.manifest.input.kind == "tensor"
    model = build(student.network.config_file, student.network.checkpoint, folded=True)
    output = load_engine(bundle, 1)(image_for(model, layers[0]).numpy())
    assert output.labels is None
    np.testing.assert_allclose(output.logits, expected, atol=1e-3, rtol=1e-3)
    assert student.bundle(key) is bundle


@pytest.mark.parametrize("key", ["onnxruntime-int8", "openvino-int8", "ncnn-fp16"])
def test_fewer_bits_give_about_the_same(key, student, layers, expected):
    bundle = student.bundle(key)
    assert bundle.manifest.precision == ("float16" if key.endswith("fp16") else "int8")
    found = Predictor(bundle.root, 1).logits(layers[0])
    difference = np.abs(found - expected[0])
    assert 0 < difference.mean() < 0.2 * np.abs(expected).mean()


def test_a_bundle_for_files_takes_frames(student, layers, expected):
    bundle = student.bundle("openvino", frames=True)
    assert bundle.manifest.input.kind == "frame"
    labels = Predictor(bundle.root, 1)(layers[0]).labels
    assert (labels == expected[0].argmax(0)).mean() > 0.99


def test_a_bundle_of_any_size_has_a_halo(student, layers, expected):
    bundle = student.dynamic_bundle("openvino")
    assert bundle.manifest.input.halo > 16
    labels = Predictor(bundle.root, 1)(layers[0]).labels
    assert (labels == expected[0].argmax(0)).mean() > 0.99
