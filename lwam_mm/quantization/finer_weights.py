"""Weights in 8 bits, as fine as processors without VNNI can add them."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from lwam_mm.utils.onnx_graphs import attributes, initial_values, producers

_LARGEST = 127


def refine_weights(quantized: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """Round the kernels of a quantized model anew, in finer steps.

    Processors without VNNI add two products of 8 bits in 16 bits: 255 times the sum of two weights
    has to stay below 2**15, so that sum below 129. NNCF keeps each weight within 64. But mostly one
    weight of an output is far larger than all others, that of a folded identity branch, and only
    that one would be large in any pair. Here the two largest weights of each output share 128.

    Args:
        quantized: What NNCF made of ``model``, kernels in int8 behind a DequantizeLinear. It is not
            changed.
        model: The float model.

    Returns:
        The quantized model with other kernels and scales.
    """
    refined = onnx.ModelProto()
    refined.CopyFrom(quantized)
    made_by = producers(refined.graph)
    tensors = {tensor.name: tensor for tensor in refined.graph.initializer}
    values = initial_values(model.graph)
    kernels = {node.name: values.get(node.input[1]) for node in model.graph.node if node.input[1:]}
    for node in refined.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose"):
            continue
        dequantize = made_by.get(node.input[1])
        if dequantize is None or dequantize.op_type != "DequantizeLinear":
            continue
        integers, scales = _rounded(kernels[node.name], attributes(dequantize).get("axis", 1))
        for name, array in zip(dequantize.input[:2], (integers, scales), strict=True):
            tensors[name].CopyFrom(numpy_helper.from_array(array, name))
    return refined


def _rounded(kernel: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel in int8, and the scale of each output, (O,); ``axis`` is that of outputs."""
    outputs = np.abs(np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1))
    # A single weight has no other beside it; two round up by no more than 1 in all.
    pair = np.sort(outputs, axis=1)[:, -2:].sum(axis=1)
    scales = np.where(pair > 0, pair / _LARGEST, 1).astype(np.float32)
    shape = [-1 if place == axis else 1 for place in range(kernel.ndim)]
    return np.rint(kernel / scales.reshape(shape)).astype(np.int8), scales
