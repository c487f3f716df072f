"""Pixel-unshuffles of any size for ncnn, whose converter knows only those of a fixed size."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from lwam_mm.utils.onnx_graphs import (
    PIXEL_UNSHUFFLE,
    attributes,
    copy_model,
    producers,
    readers,
)

_SIDE = 256  # px; any multiple of 16 does
_IMAGES = 4  # axes: (N, C, H, W)
_BEFORE, _AFTER = ("Unsqueeze", "Reshape"), ("Reshape", "Squeeze")


def with_fixed_sizes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model of any size as one of a fixed size.

    pnnx makes ncnn's Reorg, which takes every size, of a pixel-unshuffle with numbers for its
    sides. That of a model of any size has none, and pnnx makes layers of it that ncnn lacks.

    Args:
        model: A model. It is not changed.

    Returns:
        The model for one image, with pixel-unshuffles of a fixed size; the model itself if its
        sizes are fixed already.
    """
    sides = [d for value in model.graph.input for d in value.type.tensor_type.shape.dim]
    if all(side.HasField("dim_value") for side in sides):
        return model
    model = copy_model(model)
    for value in model.graph.input:
        batch, *others = value.type.tensor_type.shape.dim
        for side in (side for side in others if not side.HasField("dim_value")):
            side.dim_value = _SIDE
        batch.dim_value = 1
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*inferred.input, *inferred.value_info)
    }
    for node in list(model.graph.node):
        if node.op_type == "Transpose" and attributes(node).get("perm") == PIXEL_UNSHUFFLE:
            _fix(model.graph, node, shapes)
    return model


def _fix(graph: onnx.GraphProto, transpose: onnx.NodeProto, shapes: dict[str, list[int]]) -> None:
    """Put numbers into the pixel-unshuffle that a Transpose belongs to."""
    made_by = producers(graph)
    source, target = transpose.input[0], transpose.output[0]
    moves = [transpose]
    while len(shapes[source]) != _IMAGES:  # up to the images that it cuts into blocks
        node = made_by.get(source)
        if node is None or node.op_type not in _BEFORE:
            return
        moves.insert(0, node)
        source = node.input[0]
    while len(shapes[target]) != _IMAGES:  # and down to those that it makes
        (node, *others) = readers(graph, target)
        if others or node.op_type not in _AFTER:
            return
        moves.append(node)
        target = node.output[0]
    _, _, height, block, width, _ = shapes[transpose.input[0]]
    batch, channels = shapes[source][:2]
    blocks = [batch, channels, height, block, width, block]
    stacked = [batch, channels * block**2, height, width]
    place = list(graph.node).index(moves[0])
    for node in moves:
        graph.node.remove(node)
    for node in (
        _reshape(graph, transpose.output[0], target, stacked),
        transpose,
        _reshape(graph, source, transpose.input[0], blocks),
    ):
        graph.node.insert(place, node)


def _reshape(graph: onnx.GraphProto, source: str, target: str, shape: list[int]) -> onnx.NodeProto:
    sides = numpy_helper.from_array(np.array(shape, np.int64), f"{target}_shape")
    graph.initializer.append(sides)
    return helper.make_node("Reshape", [source, sides.name], [target], name=f"{target}_reshape")
