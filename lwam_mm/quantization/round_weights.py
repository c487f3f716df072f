"""Weights in 8 bits: as fine as processors without VNNI can add them, and right on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from lwam_mm.quantization.channel_statistics import channel_statistics
from lwam_mm.utils.onnx_graphs import attributes, initial_values, producers

_LARGEST = 127
_KINDS = ("Conv", "ConvTranspose")


def mean_inputs(model: onnx.ModelProto, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the mean of each channel, (C,), that the convolutions of a model read.

    Args:
        model: The float model.
        images: What it takes, float32 (1, 3, H, W).
    """
    names = {node.input[0]: None for node in model.graph.node if node.op_type in _KINDS}
    found = channel_statistics(model, names, images, "GlobalAveragePool")
    return {name: values.mean(axis=0) for name, values in found.items()}


def round_weights(
    quantized: onnx.ModelProto, model: onnx.ModelProto, means: Mapping[str, np.ndarray]
) -> onnx.ModelProto:
    """Round the kernels of a quantized model anew: in finer steps, with biases that make up for it.

    Processors without VNNI add two products of 8 bits in 16 bits: 255 times the sum of two weights
    has to stay below 2**15, so that sum below 129. NNCF keeps each weight within 64. But mostly one
    weight of an output is far larger than all others, that of a folded identity branch, and only
    that one would be large in any pair. Here the two largest weights of each output share 128.

    What rounding changes in a kernel, times the mean of what it reads, would shift the output. Its
    bias takes that back (Nagel et al. 2019, arXiv 1906.04721, section 4.2).

    Args:
        quantized: What NNCF made of ``model``, kernels in int8 behind a DequantizeLinear. It is not
            changed.
        model: The float model.
        means: Its :func:`mean_inputs`.

    Returns:
        The quantized model with other kernels, scales and biases.
    """
    rounded = onnx.ModelProto()
    rounded.CopyFrom(quantized)
    made_by = producers(rounded.graph)
    tensors = {tensor.name: tensor for tensor in rounded.graph.initializer}
    values = initial_values(model.graph)
    exact = {node.name: node for node in model.graph.node if node.op_type in _KINDS}
    for node in rounded.graph.node:
        dequantize = made_by.get(node.input[1]) if node.name in exact else None
        if dequantize is None or dequantize.op_type != "DequantizeLinear":
            continue
        original = exact[node.name]
        kernel = values[original.input[1]]
        axis = attributes(dequantize).get("axis", 1)  # of the outputs
        integers, scales = _rounded(kernel, axis)
        for name, array in zip(dequantize.input[:2], (integers, scales), strict=True):
            tensors[name].CopyFrom(numpy_helper.from_array(array, name))
        change = integers * _along(axis, scales) - kernel
        bias = values[original.input[2]] if len(original.input) > 2 else 0
        bias = bias - _shift(node, change, means[original.input[0]])
        name = f"{node.name}_rounded_bias"
        rounded.graph.initializer.append(numpy_helper.from_array(bias.astype(np.float32), name))
        node.input[2:] = [name]
    return rounded


def _rounded(kernel: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel in int8, and the scale of each output, (O,)."""
    outputs = np.abs(np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1))
    # A single weight has no other beside it; two round up by no more than 1 in all.
    pair = np.sort(outputs, axis=1)[:, -2:].sum(axis=1)
    scales = np.where(pair > 0, pair / _LARGEST, 1).astype(np.float32)
    return np.rint(kernel / _along(axis, scales)).astype(np.int8), scales


def _along(axis: int, scales: np.ndarray) -> np.ndarray:
    return scales.reshape([-1 if place == axis else 1 for place in range(4)])


def _shift(node: onnx.NodeProto, change: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return how much a change of the kernel shifts each output on average, (O,)."""
    settings = attributes(node)
    if node.op_type == "ConvTranspose":  # each output gets one of so many taps
        taps = change.sum(axis=(2, 3)) / np.prod(settings.get("strides", [1, 1]))
        return means @ taps
    groups = settings.get("group", 1)
    read = np.repeat(means.reshape(groups, -1), len(change) // groups, axis=0)  # (O, I / groups)
    return (change.sum(axis=(2, 3)) * read).sum(axis=1)
