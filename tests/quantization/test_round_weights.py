from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array, to_array
from onnxruntime import InferenceSession

from lwam_mm.deploy.backends.ncnn_int8 import take_out_quantizers
from lwam_mm.quantization.quantize import quantize
from lwam_mm.quantization.round_weights import mean_inputs, round_weights

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
    image = RNG.normal(size=(1, 4, 8, 8)).astype(np.float32)
    fine = round_weights(coarse, exact, mean_inputs(exact, [image]))
    assert coarse.SerializeToString() == before
    onnx.checker.check_model(fine, full_check=True)
    pairs = np.sort(np.abs(integers(fine, kind)), axis=1)[:, -2:]
    assert (pairs.sum(axis=1) <= 128).all()
    assert (pairs[:, 1] > 110).all()
    errors = [np.abs(run(m, image) - run(exact, image)).mean() for m in (coarse, fine)]
    assert errors[1] < 0.65 * errors[0]


def test_equal_weights_share_the_range():
    kernel = np.ones((4, 4, 3, 3), np.float32)
    kernel[2] = 0
    kernel[3] = -2
    exact, coarse = (network("Conv", kernel, quantized=q) for q in (False, True))
    image = RNG.normal(size=(1, 4, 8, 8)).astype(np.float32)
    fine = round_weights(coarse, exact, mean_inputs(exact, [image]))
    assert set(np.unique(np.abs(integers(fine, "Conv")))) == {0, 64}
    np.testing.assert_allclose(run(fine, image), run(exact, image), atol=0.5)


def test_layers_in_float_stay_in_float():
    exact = network("Conv", np.ones((4, 4, 3, 3), np.float32), quantized=False)
    assert round_weights(exact, exact, {}).SerializeToString() == exact.SerializeToString()


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("with_bias", [False, True])
def test_outputs_are_right_on_average(kind, with_bias):
    """Inputs behind a ReLU are positive, so what rounding changes adds up."""
    kernel = RNG.normal(size=(4, 4, 1, 1)).astype(np.float32)
    exact, coarse = (network(kind, kernel, quantized=q) for q in (False, True))
    for model in (exact, coarse) if with_bias else ():
        model.graph.initializer.append(from_array(np.arange(4, dtype=np.float32), "bias"))
        model.graph.node[-1].input.append("bias")
    for model in (exact, coarse):
        for side in model.graph.output[0].type.tensor_type.shape.dim[2:]:
            side.dim_value = 8
    images = [RNG.uniform(2, 5, size=(1, 4, 8, 8)).astype(np.float32) for _ in range(3)]
    fine = round_weights(coarse, exact, mean_inputs(exact, images))
    shifts = [
        np.abs(np.mean([run(m, i) - run(exact, i) for i in images], axis=(0, 1, 3, 4))).max()
        for m in (coarse, fine)
    ]
    assert shifts[1] < 1e-5 < 1e-3 < shifts[0]


def test_grouped_and_strided_convolutions_are_right_on_average():
    rng = np.random.default_rng(3)
    image = rng.uniform(1, 2, size=(1, 4, 8, 8)).astype(np.float32)
    image[:] = image.mean(axis=(2, 3), keepdims=True)  # the mean everywhere
    for kind, kernel, options in (
        ("Conv", rng.normal(size=(4, 2, 3, 3)), dict(group=2)),
        ("ConvTranspose", rng.normal(size=(4, 4, 4, 4)), dict(strides=[2, 2], pads=[1, 1, 1, 1])),
    ):
        kernel = kernel.astype(np.float32)
        exact, coarse = (network(kind, kernel, quantized=q) for q in (False, True))
        for model in (exact, coarse):
            for name, value in options.items():
                model.graph.node[-1].attribute.append(helper.make_attribute(name, value))
            for side in model.graph.output[0].type.tensor_type.shape.dim[2:]:
                side.dim_value = 6 if kind == "Conv" else 16
        fine = round_weights(coarse, exact, mean_inputs(exact, [image]))
        shifts = [
            np.abs((run(m, image) - run(exact, image))[..., 2:-2, 2:-2].mean(axis=(0, 2, 3))).max()
            for m in (coarse, fine)
        ]
        assert shifts[1] < 1e-4 < 1e-3 < shifts[0]


_RUN = """
import sys
import numpy as np
from lwam_mm.runtime.engines.openvino_core import openvino_core
core = openvino_core()
model = core.compile_model(sys.argv[1], "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
np.save(sys.argv[2], model([np.load(sys.argv[3])])[0])
"""


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="needs AVX2")
def test_sums_do_not_overflow_without_vnni(tmp_path):
    """Two products of 8 bits are added in 16 bits there, and saturate."""
    rng = np.random.default_rng(0)
    shapes = dict(w1=(32, 3, 3, 3), w2=(32, 32, 3, 3))
    arrays = {name: rng.uniform(0.5, 1, shape) for name, shape in shapes.items()}
    arrays["w2"][range(32), range(32), 1, 1] = 1.5
    node, pads = helper.make_node, dict(pads=[1, 1, 1, 1])
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            node("Conv", ["input", "w1"], ["a"], "first", **pads),
            node("Relu", ["a"], ["r"]),
            node("Conv", ["r", "w2"], ["output"], "second", **pads),
        ],
        "net",
        [value("input", TensorProto.FLOAT, [1, 3, 32, 32])],
        [value("output", TensorProto.FLOAT, [1, 32, 32, 32])],
        [from_array(array.astype(np.float32), name) for name, array in arrays.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    exact = helper.make_model(graph, opset_imports=opset, ir_version=8)
    image = np.ones((1, 3, 32, 32), np.float32)  # every input is as large as can be
    np.save(tmp_path / "image.npy", image)
    safe = quantize(exact, [image])
    unsafe = onnx.ModelProto()
    unsafe.CopyFrom(safe)
    for tensor in unsafe.graph.initializer:
        if len(tensor.dims) == 4:
            full = np.where(to_array(tensor) == 0, 0, 127).astype(np.int8)
            tensor.CopyFrom(from_array(full, tensor.name))

    def run_without_vnni(model: onnx.ModelProto) -> np.ndarray:
        onnx.save(model, tmp_path / "model.onnx")
        files = [str(tmp_path / name) for name in ("model.onnx", "out.npy", "image.npy")]
        environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
        subprocess.run([sys.executable, "-c", _RUN, *files], env=environment, check=True)
        return np.load(tmp_path / "out.npy")

    np.testing.assert_allclose(run_without_vnni(safe), run(exact, image), rtol=0.03)
    in_float, _ = take_out_quantizers(unsafe)
    assert run_without_vnni(unsafe).max() < 0.9 * run(in_float, image).max()
