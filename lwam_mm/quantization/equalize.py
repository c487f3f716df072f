"""Cross-layer equalization: the same network, with weights that 8 bits represent better."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from lwam_mm.quantization.channel_statistics import channel_statistics
from lwam_mm.utils.onnx_graphs import (
    attributes,
    copy_model,
    initial_values,
    producers,
    readers,
    remove_unread,
)

# Axes of a kernel: that of its inputs, that of its outputs.
_AXES = {"Conv": (1, 0), "ConvTranspose": (0, 1)}


def equalize(model: onnx.ModelProto, images: Sequence[np.ndarray]) -> onnx.ModelProto:
    """Scale the channels between convolutions so that their weights differ less in size.

    A folded identity branch leaves a weight of gamma / sigma on the diagonal of its kernel. Where a
    channel hardly varies this is many times the others, and all weights of that output share its
    scale in 8 bits. ReLU(s x) = s ReLU(x) for s > 0, so a channel's weights can be multiplied by s
    in the convolution that makes it, and divided by s in the one that reads it, and the network
    computes the same. With s the root of the ratio of the largest weights, both become equally
    large (Nagel et al. 2019, arXiv 1906.04721, section 4.1). No channel gets values above the
    largest of its tensor, which would cost all others accuracy.

    Args:
        model: A float model. It is not changed.
        images: What the model takes, float32 (1, 3, H, W): they show how large each channel gets.

    Returns:
        The model, equalized wherever a convolution is followed by a ReLU and that by nothing but
        one other convolution, none of them in groups.
    """
    model = copy_model(model)
    pairs = list(_pairs(model.graph))
    names = [relu for _, relu, _ in pairs]
    largest = channel_statistics(model, names, images, "GlobalMaxPool")
    for first, relu, second in pairs:
        _equalize(model.graph, first, second, largest[relu].max(axis=0))
    remove_unread(model.graph)
    return model


def _pairs(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, str, onnx.NodeProto]]:
    """Yield two convolutions with only a ReLU between them, and the name of its result."""
    made_by = producers(graph)
    outputs = {value.name for value in graph.output}
    for second in graph.node:
        relu = made_by.get(second.input[0]) if _is_plain(second) else None
        if relu is None or relu.op_type != "Relu":
            continue
        first = made_by.get(relu.input[0])
        if first is None or not _is_plain(first):
            continue
        between = (relu.input[0], relu.output[0])
        if outputs.isdisjoint(between) and all(len(readers(graph, name)) == 1 for name in between):
            yield first, relu.output[0], second


def _is_plain(node: onnx.NodeProto) -> bool:
    return node.op_type in _AXES and attributes(node).get("group", 1) == 1


def _equalize(
    graph: onnx.GraphProto, first: onnx.NodeProto, second: onnx.NodeProto, largest: np.ndarray
) -> None:
    """Scale the channels that the first convolution makes and the second reads."""
    values = initial_values(graph)
    makes, reads = values[first.input[1]], values[second.input[1]]
    out_axis, in_axis = _AXES[first.op_type][1], _AXES[second.op_type][0]
    made, read = (
        np.abs(kernel).max(axis=tuple(set(range(kernel.ndim)) - {axis}))
        for kernel, axis in ((makes, out_axis), (reads, in_axis))
    )
    top = int(largest.argmax())
    if min(made[top], read[top], largest[top]) <= 0:
        return
    used = (made > 0) & (read > 0)
    scale = np.sqrt(read / np.where(used, made, 1), where=used, out=np.ones_like(made))
    scale = np.where(used, scale / scale[top], 1)  # the channel with the largest values keeps them
    scale = np.minimum(scale, largest[top] / np.maximum(largest, np.finfo(np.float32).tiny))

    def along(axis: int, kernel: np.ndarray) -> np.ndarray:
        return scale.reshape([-1 if place == axis else 1 for place in range(kernel.ndim)])

    _replace(graph, first, 1, makes * along(out_axis, makes))
    if len(first.input) > 2:
        _replace(graph, first, 2, values[first.input[2]] * scale)
    _replace(graph, second, 1, reads / along(in_axis, reads))


def _replace(graph: onnx.GraphProto, node: onnx.NodeProto, place: int, array: np.ndarray) -> None:
    """Change a node's weights; if others read them too, it gets its own."""
    name = node.input[place]
    known = {tensor.name: tensor for tensor in graph.initializer}
    if name not in known or len(readers(graph, name)) > 1:
        taken = known.keys() | producers(graph).keys()
        while name in taken:
            name += "_equalized"
        known[name] = graph.initializer.add()
        node.input[place] = name
    known[name].CopyFrom(numpy_helper.from_array(array.astype(np.float32), name))
