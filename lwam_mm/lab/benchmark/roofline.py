"""The machine's roofline: plain matrix products in the engines that the candidates run in.

A chain of products of one matrix with square weights is what a network without its geometry would
be. In INT8 the values stay quantized from product to product, as they do in a network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

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
    constants = {}
    if quantized:
        weights_scale = np.float32(4 / side**0.5 / 127)
        constants = dict(values=np.float32(4 / 127), weights=weights_scale, zero=np.int8(0))
    nodes = []
    for i in range(depth):
        square = (rng.standard_normal((side, side)) / side**0.5).astype(np.float32)
        value = f"v{i}"
        if quantized:
            levels = np.clip(np.rint(square / weights_scale), -127, 127)
            constants[f"l{i}"] = levels.astype(np.int8)
            value = f"r{i}"
            nodes += [
                f"q{i} = QuantizeLinear(v{i}, values, zero)",
                f"r{i} = DequantizeLinear(q{i}, values, zero)",
                f"w{i} = DequantizeLinear(l{i}, weights, zero)",
            ]
        else:
            constants[f"w{i}"] = square
        nodes.append(f"v{i + 1} = MatMul({value}, w{i})")
    shape = f"float[{rows},{side}]"
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": {_OPSET}]>'
        f"products ({shape} v0) => ({shape} v{depth}) {{ {' '.join(nodes)} }}"
    )
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()
    )
    onnx.checker.check_model(model, full_check=True)
    return model
