"""Additions to an exported graph, so that the runtime side has nothing to compute beside it.

The plain export takes a normalised float tensor and gives logits. Around it come, as ONNX
operators that every engine has: a decoded frame as input, and the labels as a second output.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lwam_mm.utils.errors import UserError

LABELS = "labels"
FRAME = "frame"


class GraphError(UserError, ValueError):
    """The graph is not one that frames or labels can be added to."""


def add_labels(model: onnx.ModelProto) -> onnx.ModelProto:
    """Add the class of highest logit, the first of equals, as an output.

    Args:
        model: one output, the logits: float32 (1, C, H, W).

    Returns:
        A copy with a second output ``labels``: uint8 (1, H, W).

    Raises:
        GraphError: the model has another output, or not 2 to 255 classes.
    """
    model, logits = _copy(model), _only(model.graph.output, "output")
    batch, classes, height, width = logits.type.tensor_type.shape.dim
    count = classes.dim_value
    if not 2 <= count <= 255:
        raise GraphError(
            f"the model's output {logits.name!r} has {count} classes: there have to be 2 to 255, "
            "and the graph has to say how many"
        )
    # One after the other, each against the best so far: OpenVINO makes a single pass of this,
    # where its ArgMax takes an eighth of the time of an INT8 student.
    planes = [f"labels_logit_{label}" for label in range(count)]
    nodes = [helper.make_node("Split", [logits.name, "labels_split"], planes, axis=1)]
    constants = {"labels_split": np.ones(count, np.int64), "labels_axis": np.array([1], np.int64)}
    for label in range(count):
        constants[f"labels_{label}"] = np.full((1, 1, 1, 1), label, np.uint8)
    best, found = planes[0], "labels_0"
    for label in range(1, count):
        better, chosen, higher = (f"labels_{what}_{label}" for what in ("gt", "at", "max"))
        nodes += [
            helper.make_node("Greater", [planes[label], best], [better]),
            helper.make_node("Where", [better, f"labels_{label}", found], [chosen]),
            helper.make_node("Max", [planes[label], best], [higher]),
        ]
        best, found = higher, chosen
    nodes[-1] = helper.make_node("Squeeze", [found, "labels_axis"], [LABELS])  # for the last Max
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(_initializers(constants))
    labels = helper.make_tensor_value_info(LABELS, TensorProto.UINT8, [None] * 3)
    for source, target in zip(
        (batch, height, width), labels.type.tensor_type.shape.dim, strict=True
    ):
        target.CopyFrom(source)
    model.graph.output.append(labels)
    return _checked(model)


def take_frames(
    model: onnx.ModelProto,
    mean: Sequence[float],
    std: Sequence[float],
    pad_to: int | None = None,
) -> onnx.ModelProto:
    """Put the preparation of a decoded image in front of a model.

    In mmseg's order: BGR to RGB, (x - mean) / std, zeros at the bottom and on the right.

    Args:
        model: one input, a normalised image: float32 (1, 3, H, W), RGB; one output, the logits
            (1, C, H, W).
        mean: one a channel, RGB, in units of 0..255.
        std: likewise, positive.
        pad_to: pad up to multiples of this and cut the logits accordingly; None for a model of
            fixed size, which is not padded.

    Returns:
        A copy with one input ``frame``: uint8 (1, H, W, 3), BGR.

    Raises:
        GraphError: the model has another input or output.
    """
    model, tensor = _copy(model), _only(model.graph.input, "input")
    logits = _only(model.graph.output, "output")
    graph = model.graph
    batch, _, height, width = (_side(dim) for dim in tensor.type.tensor_type.shape.dim)
    if pad_to is not None:
        batch, height, width = 1, "height", "width"
    constants = {
        "frame_bgr_to_rgb": np.array([2, 1, 0], np.int64),
        "frame_mean": np.asarray(mean, np.float32).reshape(1, 3, 1, 1),
        "frame_std": np.asarray(std, np.float32).reshape(1, 3, 1, 1),
    }
    normalised = tensor.name if pad_to is None else "frame_normalised"
    before = [
        helper.make_node("Transpose", [FRAME], ["frame_bgr"], perm=[0, 3, 1, 2]),
        helper.make_node("Gather", ["frame_bgr", "frame_bgr_to_rgb"], ["frame_rgb"], axis=1),
        helper.make_node("Cast", ["frame_rgb"], ["frame_float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["frame_float", "frame_mean"], ["frame_centred"]),
        helper.make_node("Div", ["frame_centred", "frame_std"], [normalised]),
    ]
    after = []
    if pad_to is not None:
        constants |= {
            "frame_zeros": np.zeros(6, np.int64),
            "frame_pad_to": np.array([pad_to], np.int64),
            "frame_origin": np.zeros(2, np.int64),
            "frame_axes": np.array([2, 3], np.int64),
        }
        before += [
            helper.make_node("Shape", [FRAME], ["frame_size"], start=1, end=3),
            helper.make_node("Neg", ["frame_size"], ["frame_minus_size"]),
            # Of a negative number by a positive one, ONNX's Mod is positive, as Python's is.
            helper.make_node("Mod", ["frame_minus_size", "frame_pad_to"], ["frame_missing"]),
            helper.make_node("Concat", ["frame_zeros", "frame_missing"], ["frame_pads"], axis=0),
            helper.make_node("Pad", ["frame_normalised", "frame_pads"], [tensor.name]),
        ]
        _rename_result(graph, logits.name, "frame_logits")
        after = [
            helper.make_node(
                "Slice",
                ["frame_logits", "frame_origin", "frame_size", "frame_axes"],
                [logits.name],
            )
        ]
        for dim, side in zip(
            logits.type.tensor_type.shape.dim, (1, None, height, width), strict=True
        ):
            if isinstance(side, str):
                dim.dim_param = side
            elif side is not None:
                dim.dim_value = side
        graph.output[0].CopyFrom(logits)
    frame = helper.make_tensor_value_info(FRAME, TensorProto.UINT8, [batch, height, width, 3])
    graph.input[0].CopyFrom(frame)
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(_initializers(constants))
    return _checked(model)


def _initializers(constants: dict[str, np.ndarray]) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(value, name) for name, value in constants.items()]


def _only(values: Sequence[onnx.ValueInfoProto], what: str) -> onnx.ValueInfoProto:
    if len(values) != 1 or len(values[0].type.tensor_type.shape.dim) != 4:
        raise GraphError(
            f"the model's {what}s are {[value.name for value in values]}: one of shape "
            "(N, C, H, W) is needed; export it again with with_argmax=False"
        )
    value = onnx.ValueInfoProto()
    value.CopyFrom(values[0])
    return value


def _side(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    return dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None


def _rename_result(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name == old:
                node.output[index] = new
        for index, name in enumerate(node.input):
            if name == old:
                node.input[index] = new


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    # Shapes of what lies between: they would contradict the new input's.
    del copy.graph.value_info[:]
    return copy


def _checked(model: onnx.ModelProto) -> onnx.ModelProto:
    onnx.checker.check_model(model, full_check=True)
    return model
