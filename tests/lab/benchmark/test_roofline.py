from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from lwam_mm.lab.benchmark.candidates import roofline_key
from lwam_mm.lab.benchmark.roofline import products, roofline_candidate
from lwam_mm.lab.benchmark.worker import load


def run(model: onnx.ModelProto, matrix: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"v0": matrix})[0]


def test_the_chain_multiplies():
    model = products(5, 32, 3, quantized=False)
    matrix = np.random.default_rng(1).standard_normal((5, 32), np.float32)
    expected = matrix
    for tensor in model.graph.initializer:
        expected = expected @ onnx.numpy_helper.to_array(tensor)
    assert len(model.graph.initializer) == 3
    np.testing.assert_allclose(run(model, matrix), expected, rtol=1e-3, atol=1e-4)


def test_the_quantized_chain_multiplies_about_the_same():
    matrix = np.random.default_rng(1).standard_normal((64, 64), np.float32)
    exact = run(products(64, 64, 3, quantized=False), matrix)
    found = run(products(64, 64, 3, quantized=True), matrix)
    assert np.abs(found - exact).mean() < 0.1 * np.abs(exact).mean()
    assert not np.array_equal(found, exact)


@pytest.mark.parametrize(
    ("engine", "precision", "key"),
    [
        ("torch", "float32", "products-torch"),
        ("openvino", "float32", "products-openvino"),
        ("openvino", "int8", "products-openvino-int8"),
        ("onnxruntime", "int8", "products-onnxruntime-int8"),
        ("ncnn", "float16", "products-openvino"),
    ],
)
def test_each_candidate_has_a_roofline_that_runs(engine, precision, key, tmp_path, monkeypatch):
    monkeypatch.setattr("lwam_mm.lab.benchmark.roofline.ROWS", 32)
    monkeypatch.setattr("lwam_mm.lab.benchmark.roofline.SIDE", 64)
    assert roofline_key(engine, precision) == key
    candidate = roofline_candidate(key, tmp_path, threads=1)
    assert candidate.macs == 32 * 64 * 64 * (8 if "int8" in key else 2)
    assert ("INT8" in candidate.title) == ("int8" in key)
    call = load(candidate.task)
    assert call() is not None
