from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array, to_array
from onnxruntime import InferenceSession

from lwam_mm.quantization.finer_weights import refine_weights

RNG = np.random.default_rng(0)


def network(kind: str, kernel: np.ndarray, *, quantized: bool) -> onnx.ModelProto:
    """Return a convolution, in 8 bits with weights within 64 as NNCF makes it."""
    axis = 0 if kind == "Conv" else 1
    arrays = dict(w=kernel)
    nodes = [helper.make_node(kind, ["input", "w"], ["output"], "layer")]
    if quantized:
        others = tuple({0, 1, 2, 3} - {axis})
        scale = np.abs(kernel).max(axis=others, keepdims=True) / 64
        scale[scale == 0] = 1
        arrays = dict(
            w8=np.rint(kernel / scale).astype(np.int8),
            scale=scale.reshape(-1).astype(np.float32),
            zero=np.zeros(scale.size, np.int8),
        )
        nodes.insert(
            0, helper.make_node("DequantizeLinear", ["w8", "scale", "zero"], ["w"], axis=axis)
        )
    value, side = helper.make_tensor_value_info, 6 if kind == "Conv" else 10
    graph = helper.make_graph(
        nodes,
        "net",
        [value("input", TensorProto.FLOAT, [1, 4, 8, 8])],
        [value("output", TensorProto.FLOAT, [1, 4, side, side])],
        [from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    return InferenceSession(model.SerializeToString()).run(None, {"input": image})[0]


def integers(model: onnx.ModelProto, kind: str) -> np.ndarray:
    (array,) = (to_array(t) for t in model.graph.initializer if t.name == "w8")
    return np.moveaxis(array.astype(int), 0 if kind == "Conv" else 1, 0).reshape(4, -1)


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
def test_one_large_weight_leaves_the_others_finer_steps(kind):
    kernel = (RNG.normal(size=(4, 4, 3, 3)) * 0.01).astype(np.float32)
    kernel[range(4), range(4), 1, 1] = 1
    exact, coarse = (network(kind, kernel, quantized=q) for q in (False, True))
    before = coarse.SerializeToString()
    fine = refine_weights(coarse, exact)
    assert coarse.SerializeToString() == before
    onnx.checker.check_model(fine, full_check=True)
    pairs = np.sort(np.abs(integers(fine, kind)), axis=1)[:, -2:]
    assert (pairs.sum(axis=1) <= 128).all()
    assert (pairs[:, 1] > 110).all()
    image = RNG.normal(size=(1, 4, 8, 8)).astype(np.float32)
    errors = [np.abs(run(m, image) - run(exact, image)).mean() for m in (coarse, fine)]
    assert errors[1] < 0.65 * errors[0]


def test_equal_weights_share_the_range():
    kernel = np.ones((4, 4, 3, 3), np.float32)
    kernel[2] = 0
    kernel[3] = -2
    exact, coarse = (network("Conv", kernel, quantized=q) for q in (False, True))
    fine = refine_weights(coarse, exact)
    assert set(np.unique(np.abs(integers(fine, "Conv")))) == {0, 64}
    image = RNG.normal(size=(1, 4, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(run(fine, image), run(exact, image), atol=0.5)


def test_layers_in_float_stay_in_float():
    exact = network("Conv", np.ones((4, 4, 3, 3), np.float32), quantized=False)
    assert refine_weights(exact, exact).SerializeToString() == exact.SerializeToString()
