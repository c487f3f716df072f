"""What the edits of exported graphs share: reading, renaming, copying and cutting weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

PIXEL_UNSHUFFLE = [0, 1, 3, 5, 2, 4]
"""How a pixel-unshuffle transposes: (N, C, h, block, w, block) to (N, C, block, block, h, w)."""


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes by name."""
    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


def producers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """Return the node that makes each result, by the result's name."""
    return {name: node for node in graph.node for name in node.output}


def readers(graph: onnx.GraphProto, name: str) -> list[onnx.NodeProto]:
    """Return the nodes that read a result."""
    return [node for node in graph.node if name in node.input]


def rename_result(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Rename a result in all nodes that make or read it."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]


def copy_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy without the shapes of inner results, which would contradict a new input."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    return copy


def checked(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model if it is valid ONNX.

    Raises:
        onnx.checker.ValidationError: It is not.
    """
    onnx.checker.check_model(model, full_check=True)
    return model


def initial_values(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Return the weights and other constants by name."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        # Of equal tensors, torch exports one; the others are Identities of it.
        if node.op_type == "Identity" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    return values


def changed_convolution(
    graph: onnx.GraphProto,
    conv: onnx.NodeProto,
    suffix: str,
    change: Callable[[np.ndarray], np.ndarray],
    outputs: slice | None = None,
) -> list[onnx.NodeProto]:
    """Make a convolution like another, with other weights.

    The new weights become initializers of the graph; its nodes do not.

    Args:
        graph: Holds the convolution's weights: float, or 8 bits behind a DequantizeLinear.
        conv: The convolution.
        suffix: For the names of everything new.
        change: Makes the new kernel of the old one, (O, I, h, w), without its outputs.
        outputs: Which of the O outputs the new one has; None for all.

    Returns:
        The new convolution, and before it its DequantizeLinear if the weights have one. It reads
        and writes what the other does.
    """
    values = initial_values(graph)
    source = None if conv.input[1] in values else producers(graph)[conv.input[1]]
    made: list[onnx.NodeProto] = []

    def added(name: str, array: np.ndarray) -> str:
        array = array if outputs is None else array[outputs]
        tensor = numpy_helper.from_array(np.ascontiguousarray(array), f"{name}{suffix}")
        graph.initializer.append(tensor)
        return tensor.name

    kernel = source.input[0] if source else conv.input[1]
    weights = values[kernel]
    new = onnx.NodeProto()
    new.CopyFrom(conv)
    new.name = f"{conv.name}{suffix}"
    new.input[1] = added(kernel, change(weights))
    if source:
        dequantize = onnx.NodeProto()
        dequantize.CopyFrom(source)
        dequantize.name = f"{source.name}{suffix}"
        dequantize.input[0], dequantize.output[0] = new.input[1], f"{source.output[0]}{suffix}"
        for place, name in enumerate(source.input[1:], 1):
            parameter = values[name]
            if outputs is not None and parameter.shape == weights.shape[:1]:  # one for each output
                dequantize.input[place] = added(name, parameter)
        new.input[1] = dequantize.output[0]
        made.append(dequantize)
    if outputs is not None and len(conv.input) > 2:
        new.input[2] = added(conv.input[2], values[conv.input[2]])
    return [*made, new]


def remove_unread(graph: onnx.GraphProto) -> None:
    """Remove initializers that nothing reads, and nodes that make something of them alone."""
    constants = {tensor.name for tensor in graph.initializer}
    read = {name for node in graph.node for name in node.input}
    for node in list(graph.node):
        if constants.issuperset(node.input) and read.isdisjoint(node.output):
            graph.node.remove(node)
    read = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
