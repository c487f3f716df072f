"""Quantizes what a convolution reads behind the data moves, not in front of them."""

from __future__ import annotations

import onnx

_MOVES = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "DepthToSpace", "SpaceToDepth")


def quantize_after_moves(model: onnx.ModelProto) -> onnx.ModelProto:
    """Move quantizers from in front of data moves to the convolution behind them.

    NNCF puts QuantizeLinear and DequantizeLinear in front of the reshapes and transposes of a
    pixel-unshuffle. Engines look for them directly at a convolution's input, and else compute it
    in float. With one scale for the whole tensor both places give the same numbers.

    Args:
        model: A model with QuantizeLinear and DequantizeLinear nodes. It is not changed.

    Returns:
        The model in which they follow the moves, wherever only this convolution reads the moved
        tensor.
    """
    moved = onnx.ModelProto()
    moved.CopyFrom(model)
    graph = moved.graph
    producers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    sizes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}

    for conv in [node for node in graph.node if node.op_type == "Conv"]:
        moves = []
        node = producers.get(conv.input[0])
        while node is not None and node.op_type in _MOVES and readers[node.output[0]] == 1:
            moves.append(node)
            node = producers.get(node.input[0])
        if not moves or node is None or node.op_type != "DequantizeLinear":
            continue
        quantizer = producers.get(node.input[0])
        if quantizer is None or quantizer.op_type != "QuantizeLinear":
            continue
        if sizes.get(node.input[1], ()) not in ((), (1,)):  # a scale for each channel moves along
            continue
        moves[-1].input[0] = quantizer.input[0]
        pair = [onnx.NodeProto(), onnx.NodeProto()]
        source = conv.input[0]
        for new, old in zip(pair, (quantizer, node), strict=True):
            new.CopyFrom(old)
            new.name = new.output[0] = f"{old.op_type}_of_{conv.output[0]}"
            new.input[0], source = source, new.output[0]
        conv.input[0] = source
        place = list(graph.node).index(conv)
        for new in reversed(pair):
            graph.node.insert(place, new)
    _remove_unread(graph)
    return moved


def _remove_unread(graph: onnx.GraphProto) -> None:
    """Remove quantizers whose result nothing reads."""
    read = {value.name for value in graph.output} | {n for node in graph.node for n in node.input}
    for node in reversed(list(graph.node)):
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.output[0] not in read:
            graph.node.remove(node)
            read = {value.name for value in graph.output}
            read |= {name for left in graph.node for name in left.input}
