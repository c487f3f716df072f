from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array, to_array
from onnxruntime import InferenceSession

from lwam_mm.quantization.equalize import equalize
from lwam_mm.quantization.quantize import quantize

SIZE = 24


def network(second: str = "Conv", *, fork: bool = False, groups: int = 1) -> onnx.ModelProto:
    """Return two convolutions; the second has large weights where the first gives little."""
    rng = np.random.default_rng(0)
    strength = np.array([0.02, 0.05, 0.2, 0.5, 1, 1, 2, 3])
    first = rng.normal(size=(8, 3, 3, 3)) * strength.reshape(-1, 1, 1, 1)
    # A folded identity branch: gamma / sigma on the diagonal.
    reads = rng.normal(size=(8, 8 // groups, 3, 3)) * 0.1
    if groups == 1:
        reads[range(8), range(8), 1, 1] += 1 / strength
    arrays = dict(w1=first, b1=rng.normal(size=8) * strength * 0.1, w2=reads, b2=np.zeros(8))
    node, pads = helper.make_node, dict(pads=[1, 1, 1, 1])
    nodes = [
        node("Conv", ["input", "w1", "b1"], ["a"], "first", **pads),
        node("Relu", ["a"], ["r"]),
        node(
            second, ["r", "w2", "b2"], ["c" if fork else "output"], "second", group=groups, **pads
        ),
    ]
    if fork:
        nodes.append(node("Add", ["c", "r"], ["output"]))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [value("input", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [value("output", TensorProto.FLOAT, [1, 8, SIZE, SIZE])],
        [from_array(array.astype(np.float32), name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=(1, 3, SIZE, SIZE)).astype(np.float32) for _ in range(4)]


def run(model: onnx.ModelProto, image: np.ndarray, *names: str) -> list[np.ndarray]:
    model = onnx.shape_inference.infer_shapes(model)
    for name in names:
        model.graph.output.append(helper.make_empty_tensor_value_info(name))
    return InferenceSession(model.SerializeToString()).run(None, {"input": image})


def kernel(model: onnx.ModelProto, name: str) -> np.ndarray:
    values = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
    (node,) = (node for node in model.graph.node if node.name == name)
    return values[node.input[1]]


@pytest.mark.parametrize("second", ["Conv", "ConvTranspose"])
def test_the_network_computes_the_same_with_more_equal_weights(second, images):
    model = network(second)
    before = model.SerializeToString()
    equalized = equalize(model, images)
    assert model.SerializeToString() == before
    onnx.checker.check_model(equalized, full_check=True)
    for image in images:
        np.testing.assert_allclose(run(equalized, image)[0], run(model, image)[0], atol=1e-3)
    axis = (0, 2, 3) if second == "Conv" else (1, 2, 3)
    spread = [np.ptp(np.log(np.abs(kernel(m, "second")).max(axis))) for m in (model, equalized)]
    assert spread[1] < 0.6 * spread[0]


def test_no_channel_grows_above_the_largest(images):
    model = network()
    equalized = equalize(model, images)
    largest = [
        np.max([run(m, image, "r")[1].max(axis=(0, 2, 3)) for image in images], axis=0)
        for m in (model, equalized)
    ]
    assert largest[1].max() == pytest.approx(largest[0].max(), rel=1e-5)
    assert largest[1].min() > 2 * largest[0].min()


def test_8_bits_cost_less(images, monkeypatch):
    model = network()
    exact = run(model, images[0])[0]

    def error() -> float:
        return float(np.abs(run(quantize(model, images), images[0])[0] - exact).mean())

    equalized = error()
    monkeypatch.setattr("lwam_mm.quantization.quantize.equalize", lambda model, images: model)
    assert equalized < 0.5 * error()


@pytest.mark.parametrize("options", [dict(fork=True), dict(groups=8)])
def test_what_cannot_be_equalized_stays_as_it_is(options, images):
    model = network(**options)
    assert equalize(model, images).SerializeToString() == model.SerializeToString()


def test_a_result_that_the_model_returns_stays_as_it_is(images):
    model = network()
    model.graph.output.append(helper.make_tensor_value_info("r", TensorProto.FLOAT, None))
    assert equalize(model, images).SerializeToString() == model.SerializeToString()


def test_shared_weights_are_scaled_for_one_reader_only(images):
    """Torch exports equal biases once: the second convolution's is an Identity of the first's."""
    model = network()
    zeros = from_array(np.full(8, 0.1, np.float32), "shared")
    model.graph.initializer.append(zeros)
    model.graph.node.insert(0, helper.make_node("Identity", ["shared"], ["alias"]))
    for name, source in (("first", "shared"), ("second", "alias")):
        (node,) = (node for node in model.graph.node if node.name == name)
        node.input[2] = source
    equalized = equalize(model, images)
    for image in images:
        np.testing.assert_allclose(run(equalized, image)[0], run(model, image)[0], atol=1e-3)


def test_dead_channels_do_no_harm(images):
    model = network()
    for tensor in model.graph.initializer:
        array = to_array(tensor).copy()
        if tensor.name == "w1":
            array[2] = 0  # always its bias
        if tensor.name == "b1":
            array[3] = -100  # always 0 after the ReLU
        if tensor.name == "w2":
            array[:, 4] = 0  # never read
        tensor.CopyFrom(from_array(array, tensor.name))
    equalized = equalize(model, images)
    for tensor in equalized.graph.initializer:
        assert np.isfinite(to_array(tensor)).all()
    for image in images:
        np.testing.assert_allclose(run(equalized, image)[0], run(model, image)[0], atol=1e-3)
