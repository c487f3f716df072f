from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from lwam_mm.deploy.backends import BackendError, NcnnManager, NcnnWrapper
from lwam_mm.deploy.backends.ncnn_int8 import is_quantized, take_out_quantizers
from lwam_mm.quantization.equalize import equalize
from lwam_mm.quantization.quantize import quantize

pytest.importorskip("ncnn")
pytest.importorskip("pnnx")

DEPLOY_CONFIG = Config(dict(backend_config=dict(type="ncnn", precision="FP32")))
SIZE = 32


def network(*, groups: int = 1, linear: bool = False) -> onnx.ModelProto:
    """Return a net with a chain, a fork, a skip, a transposed convolution and a 1x1 convolution."""
    rng = np.random.default_rng(0)
    initializers = []

    def weights(name: str, *shape: int) -> list[str]:
        # The outputs of a layer differ in scale, as a folded net's do.
        scale = np.geomspace(0.2, 2, shape[0]).reshape(-1, *(1,) * (len(shape) - 1))
        fan_in = np.prod(shape[1:])
        for suffix, array in (
            ("w", rng.normal(size=shape) * scale / np.sqrt(fan_in)),
            ("b", rng.normal(size=shape[0]) * 0.1),
        ):
            initializers.append(numpy_helper.from_array(array.astype(np.float32), name + suffix))
        return [name + "w", name + "b"]

    node, pads = helper.make_node, dict(pads=[1, 1, 1, 1])
    nodes = [
        node("Conv", ["input", *weights("a", 8, 3, 3, 3)], ["a"], name="a", **pads),
        node("Relu", ["a"], ["ra"]),
        node("Conv", ["ra", *weights("b", 16, 8, 3, 3)], ["b"], "b", strides=[2, 2], **pads),
        node("Relu", ["b"], ["rb"]),
        node(
            "Conv", ["rb", *weights("c", 16, 16 // groups, 3, 3)], ["c"], "c", group=groups, **pads
        ),
        node("Add", ["c", "rb"], ["sum"]),
        node("ConvTranspose", ["sum", *weights("t", 16, 16, 2, 2)], ["t"], "t", strides=[2, 2]),
        node("Conv", ["t", *weights("d", 5, 16, 1, 1)], ["d" if linear else "output"], "d"),
    ]
    if linear:
        matrix = numpy_helper.from_array(rng.normal(size=(SIZE, 7)).astype(np.float32), "m")
        initializers.append(matrix)
        nodes.append(node("MatMul", ["d", "m"], ["output"], "m"))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [value("input", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [value("output", TensorProto.FLOAT, [1, 5, SIZE, 7 if linear else SIZE])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def images(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=(1, 3, SIZE, SIZE)).astype(np.float32) for _ in range(count)]


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": image})[0]


def convert(model: onnx.ModelProto, folder: Path) -> tuple[Path, Path]:
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    files = NcnnManager.to_backend([str(folder / "model.onnx")], str(folder), DEPLOY_CONFIG)
    return Path(files[0]), Path(files[1])


def run_ncnn(files: tuple[Path, Path], image: np.ndarray) -> np.ndarray:
    wrapper = NcnnWrapper(str(files[0]), str(files[1]))
    return wrapper({"input": torch.from_numpy(image)})["output"].numpy()


def scale_terms(param: Path) -> list[str | None]:
    lines = [line.split() for line in param.read_text().splitlines()]
    layers = [line for line in lines if line[0] == "Convolution"]
    return [next((v[2:] for v in line if v.startswith("8=")), None) for line in layers]


def test_ncnn_computes_in_8_bits_what_onnx_runtime_does(tmp_path):
    model = network()
    quantized = quantize(model, images(4))
    files = convert(quantized, tmp_path / "int8")
    float_files = convert(model, tmp_path / "float")
    image = images(5)[-1]
    exact = run(model, image)
    error = np.abs(run(quantized, image) - exact).mean()
    own_error = np.abs(run_ncnn(files, image) - exact).mean()
    assert 0 < own_error < 2 * error < 0.1 * exact.std()
    np.testing.assert_allclose(run_ncnn(float_files, image), exact, atol=1e-4)
    # a hands its result to b alone; b to c and to the sum; c to the sum; t is none of ncnn's.
    assert scale_terms(files[0]) == ["101", "1", "1", "1"]
    kernels = sum(np.prod(t.dims) for t in model.graph.initializer if len(t.dims) == 4)
    transposed = 16 * 16 * 2 * 2
    assert files[1].stat().st_size < kernels + 3 * transposed + 1000
    assert float_files[1].stat().st_size > 4 * kernels


def test_layers_in_float_stay_in_float(tmp_path):
    model = network()
    quantized = quantize(model, images(4), ignored=["b"])
    files = convert(quantized, tmp_path / "int8")
    assert scale_terms(files[0]) == ["1", None, "1", "1"]
    image = images(5)[-1]
    whole = convert(quantize(model, images(4)), tmp_path / "whole")
    exact = run(model, image)
    left, all_ = (np.abs(run_ncnn(f, image) - exact).mean() for f in (files, whole))
    assert left < all_


def test_depthwise_convolutions_stay_in_float(tmp_path):
    model = network(groups=16)
    files = convert(quantize(model, images(4)), tmp_path / "int8")
    assert scale_terms(files[0]) == ["101", "1", "1"]
    image = images(5)[-1]
    exact = run(model, image)
    assert np.abs(run_ncnn(files, image) - exact).mean() < 0.05 * exact.std()


def test_quantizers_are_taken_out():
    model = network()
    quantized = quantize(model, images(4))
    plain, convolutions = take_out_quantizers(quantized)
    assert is_quantized(quantized)
    assert not is_quantized(plain)
    assert not is_quantized(model)
    assert [node.op_type for node in plain.graph.node] == [n.op_type for n in model.graph.node]
    assert [len(convolution.kernel) for convolution in convolutions] == [8, 16, 16, 5]
    image = images(1)[0]
    np.testing.assert_allclose(run(plain, image), run(model, image), atol=0.15)
    equalized = equalize(model, images(4))
    kernels = {tuple(t.dims): numpy_helper.to_array(t) for t in equalized.graph.initializer}
    first = convolutions[0]
    step = first.scales.max()
    np.testing.assert_allclose(first.real_kernel, kernels[8, 3, 3, 3], atol=step / 2 + 1e-6)
    assert first.largest == pytest.approx(max(np.abs(i).max() for i in images(4)), rel=0.02)


def test_other_layers_with_weights_are_refused(tmp_path):
    with pytest.raises(BackendError, match=r"only convolutions have weights.*leave --int8 out"):
        convert(quantize(network(linear=True), images(4)), tmp_path / "int8")
    assert [path.name for path in (tmp_path / "int8").iterdir()] == ["model.onnx"]
