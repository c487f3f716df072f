"""The machine's roofline: plain matrix products in the engines that the candidates run in.

A chain of products of one matrix with square weights is what a network without its geometry would
be. In INT8 the values stay quantized from product to product, as they do in a network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lwam_mm.lab.benchmark.candidates import Candidate

# Of the shapes that were tried, the one with the most products a second: the weights fit into the
# cache, and multiplying the matrix takes longer than moving it.
ROWS, SIDE = 8192, 512
_DEPTH = {"float32": 2, "int8": 8}
_OPSET = 17
_TITLES = {"torch": "torch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def roofline_candidate(key: str, folder: Path, threads: int) -> Candidate:
    """Return the matrix products of an engine as a candidate.

    Args:
        key: A key that :func:`lwam_mm.lab.benchmark.candidates.roofline_key` returned.
        folder: Where the ONNX file goes.
        threads: Threads to use.
    """
    engine, _, precision = key.removeprefix("products-").partition("-")
    precision = precision or "float32"
    depth = _DEPTH[precision]
    task = dict(function=f"lwam_mm.lab.benchmark.worker:{engine}_products", threads=threads)
    if engine == "torch":
        task |= dict(rows=ROWS, side=SIDE, depth=depth)
    else:
        path = folder / f"{key}.onnx"
        onnx.save(products(ROWS, SIDE, depth, quantized=precision == "int8"), path)
        task |= dict(model=str(path))
    title = f"matrix products, {_TITLES[engine]} {'INT8' if precision == 'int8' else precision}"
    return Candidate(key, title, task, macs=ROWS * SIDE * SIDE * depth)


def products(rows: int, side: int, depth: int, *, quantized: bool) -> onnx.ModelProto:
    """Return a chain of matrix products as an ONNX model.

    Args:
        rows: Rows of the matrix; input and output are float32 (rows, side).
        side: Rows and columns of each weight matrix.
        depth: Number of products.
        quantized: Whether each factor is first quantized to INT8, symmetrically.
    """
    rng = np.random.default_rng(0)
    nodes, constants = [], {}
    if quantized:
        weights_scale = np.float32(4 / side**0.5 / 127)
        constants |= dict(
            values_scale=np.float32(4 / 127), weights_scale=weights_scale, zero=np.int8(0)
        )

    def add(operator: str, *inputs: str, output: str) -> str:
        nodes.append(helper.make_node(operator, inputs, [output]))
        return output

    value = "matrix"
    for i in range(depth):
        weights = f"weights{i}"
        square = (rng.standard_normal((side, side)) / side**0.5).astype(np.float32)
        if quantized:
            levels = np.clip(np.rint(square / weights_scale), -127, 127)
            constants[f"levels{i}"] = levels.astype(np.int8)
            scale = ("values_scale", "zero")
            value = add("QuantizeLinear", value, *scale, output=f"quantized{i}")
            value = add("DequantizeLinear", value, *scale, output=f"rounded{i}")
            scale = ("weights_scale", "zero")
            add("DequantizeLinear", f"levels{i}", *scale, output=weights)
        else:
            constants[weights] = square
        value = add("MatMul", value, weights, output=f"product{i}")
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("matrix", TensorProto.FLOAT, [rows, side])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [rows, side])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model
