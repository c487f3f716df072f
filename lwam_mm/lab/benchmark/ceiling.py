"""What the machine can do: matrix products in the engines that the rows run in.

A chain of products of one matrix by square weights, as a network without its geometry would be.
Numbers stay in the quantized domain from link to link, as they do in an INT8 network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lwam_mm.lab.benchmark.row import Row

_OPSET = 17
# Of the shapes that were tried, that with the most products a second: neither do the weights crowd
# the cache, nor does the matrix take longer to move than to multiply.
ROWS, SIDE = 8192, 512
_DEPTH = {"float32": 2, "int8": 8}
_ENGINES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def ceiling_key(engine: str, precision: str) -> str | None:
    """Name the matrix products that a row's rate is compared with.

    Args:
        engine: ``"torch"`` or a bundle's engine.
        precision: ``"float32"``, ``"float16"`` or ``"int8"``.

    Returns:
        The key of a row of :func:`ceiling_row`. ncnn has no products of its own to call, so it is
        compared with OpenVINO's, the machine's best in float32.
    """
    if engine == "ncnn":
        return "products-openvino"
    return f"products-{engine}" + ("-int8" if precision == "int8" else "")


def ceiling_row(key: str, folder: Path, threads: int) -> Row:
    """Make a row of matrix products; its ONNX file goes into ``folder``.

    Args:
        key: as :func:`ceiling_key` gives it.
        folder: where to write.
        threads: threads to use.
    """
    engine, _, precision = key.removeprefix("products-").partition("-")
    precision = precision or "float32"
    depth = _DEPTH[precision]
    macs = ROWS * SIDE * SIDE * depth
    if engine == "torch":
        job = dict(name="torch_products", rows=ROWS, side=SIDE, depth=depth, threads=threads)
        return Row(key, "matrix products, torch float32", job, macs=macs)
    path = folder / f"{key}.onnx"
    onnx.save(products(ROWS, SIDE, depth, quantized=precision == "int8"), path)
    job = dict(name=f"{engine}_products", model=str(path), threads=threads)
    written = "INT8" if precision == "int8" else precision
    return Row(key, f"matrix products, {_ENGINES[engine]} {written}", job, macs=macs)


def products(rows: int, side: int, depth: int, *, quantized: bool) -> onnx.ModelProto:
    """Write a chain of matrix products as ONNX.

    Args:
        rows: rows of the matrix; float32 (rows, side) goes in and comes out.
        side: rows and columns of each square of weights.
        depth: number of products.
        quantized: whether each factor is rounded to 8 bits first, symmetrically.
    """
    rng = np.random.default_rng(0)
    nodes, weights = [], {}
    scale = dict(values_scale=np.float32(4 / 127), weights_scale=np.float32(4 / side**0.5 / 127))
    if quantized:
        weights |= scale | dict(zero=np.int8(0))
    value = "matrix"
    for link in range(depth):
        square = (rng.standard_normal((side, side)) / side**0.5).astype(np.float32)
        if quantized:
            levels = np.clip(np.rint(square / scale["weights_scale"]), -127, 127)
            weights[f"levels{link}"] = levels.astype(np.int8)
            nodes += [
                helper.make_node(
                    "QuantizeLinear", [value, "values_scale", "zero"], [f"quantized{link}"]
                ),
                helper.make_node(
                    "DequantizeLinear",
                    [f"quantized{link}", "values_scale", "zero"],
                    [f"rounded{link}"],
                ),
                helper.make_node(
                    "DequantizeLinear",
                    [f"levels{link}", "weights_scale", "zero"],
                    [f"weights{link}"],
                ),
            ]
            value = f"rounded{link}"
        else:
            weights[f"weights{link}"] = square
        result = f"product{link}"
        nodes.append(helper.make_node("MatMul", [value, f"weights{link}"], [result]))
        value = result
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("matrix", TensorProto.FLOAT, [rows, side])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [rows, side])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model
