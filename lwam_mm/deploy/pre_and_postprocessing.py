"""Additions to an exported graph, so that the runtime has nothing left to compute around it.

The plain export takes a normalised float tensor and returns logits. These functions add a decoded
frame as input and the labels as a second output, in ONNX operators that every engine has.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import parser

from lwam_mm.deploy.unshuffled_frames import unshuffle_frames
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.onnx_graphs import (
    attributes,
    changed_convolution,
    checked,
    copy_model,
    producers,
    remove_unread,
    rename_result,
)

LABELS = "labels"
CHECK = "check"
FRAME = "frame"


_SAMPLE = 61  # px from one sampled pixel to the next, along both sides
_ALL = 2**31 - 1  # an end beyond every image


class GraphError(UserError, ValueError):
    """Frames or labels cannot be added to this graph."""


def add_labels(model: onnx.ModelProto) -> onnx.ModelProto:
    """Add the class of the highest logit, the first of equals, as an output, and a check.

    Where the graph ends in a pixel-shuffle, the logits are compared in front of it: the labels are
    shuffled instead, a quarter of the bytes of a single class's logits. The check is the sum over a
    sample of the logits, so that an engine can leave out the logits themselves.

    Args:
        model: One output, the logits: float32 of shape (1, C, H, W).

    Returns:
        A copy with two more outputs, ``labels``: uint8 of shape (1, H, W), and ``check``: float32
        of shape (1,).

    Raises:
        GraphError: The model has another output, or not 2 to 255 classes.
    """
    logits, (batch, classes, height, width) = _only(model.graph.output, "output")
    if not (classes.isdigit() and 2 <= int(classes) <= 255):
        raise GraphError(
            f"the model's output {logits!r} has {classes} classes: it needs 2 to 255, and the "
            "graph has to say how many"
        )
    model = copy_model(model)
    makers = producers(model.graph)
    # What `take_frames` has put behind the logits: padding is cut off.
    crop = makers[logits] if makers[logits].op_type == "Slice" else None
    scores, block = logits if crop is None else crop.input[0], 1
    shuffle = makers[scores]
    if shuffle.op_type == "DepthToSpace" and attributes(shuffle).get("mode") == b"CRD":
        block = attributes(shuffle)["blocksize"]
        rename_result(model.graph, shuffle.input[0], "labels_scores")
        scores = "labels_scores"
    planes = [f"labels_logit_{label}" for label in range(int(classes))]
    split = _split_scores(model.graph, scores, planes, block**2)
    constants = [f"uint8[1, 1, 1, 1] labels_{label} = {{{label}}}" for label in range(len(planes))]
    # One after the other, each against the best so far: OpenVINO makes a single pass of this,
    # where its ArgMax takes an eighth of the time of an INT8 student.
    best, found, nodes = planes[0], "labels_0", []
    for label, plane in enumerate(planes[1:], 1):
        nodes += [
            f"labels_gt_{label} = Greater ({plane}, {best})",
            f"labels_at_{label} = Where (labels_gt_{label}, labels_{label}, {found})",
            f"labels_max_{label} = Max ({plane}, {best})",
        ]
        best, found = f"labels_max_{label}", f"labels_at_{label}"
    del nodes[-1]  # nothing comes after the last maximum
    if block > 1:
        nodes.append(
            f'labels_shuffled = DepthToSpace <blocksize = {block}, mode = "CRD"> ({found})'
        )
        found = "labels_shuffled"
    if crop is not None:
        nodes.append(f"labels_cropped = Slice ({found}, {', '.join(crop.input[1:])})")
        found = "labels_cropped"
    step = max(1, _SAMPLE // block)
    sampled = [f"check_{plane}" for plane in planes]
    nodes += [
        f"{some} = Slice ({plane}, check_start, check_end, check_axes, check_step)"
        for some, plane in zip(sampled, planes, strict=True)
    ]
    addition = parser.parse_graph(f"""
        labels (float[{batch}, {block**2}, h, w] {planes[0]}, int64[2] frame_origin,
                int64[2] frame_size, int64[2] frame_axes)
        => (uint8[{batch}, {height}, {width}] {LABELS}, float[1] {CHECK})
        <int64[1] labels_axis = {{1}}, int64[2] check_start = {{0, 0}},
         int64[2] check_end = {{{_ALL}, {_ALL}}}, int64[2] check_axes = {{2, 3}},
         int64[2] check_step = {{{step}, {step}}}, int64[1] check_flat = {{-1}},
         {", ".join(constants)}>
        {{
            {" ".join(nodes)}
            {LABELS} = Squeeze ({found}, labels_axis)
            check_some = Concat <axis = 1> ({", ".join(sampled)})
            check_row = Reshape (check_some, check_flat)
            {CHECK} = ReduceSum (check_row)
        }}""")
    model.graph.node.extend([*split, *addition.node])
    model.graph.initializer.extend(addition.initializer)
    model.graph.output.extend(addition.output)
    return checked(model)


def _split_scores(
    graph: onnx.GraphProto, scores: str, planes: Sequence[str], channels: int
) -> list[onnx.NodeProto]:
    """Return nodes that make each class's part of the logits, (N, channels, h, w), by its name.

    Where a convolution makes the logits, there is a smaller one for each class: OpenVINO is slow
    at splitting, so a fifth of the time of SpreadNet S4 went into it. Both are made of the same
    weights; an engine leaves out the one whose result nobody asks for.
    """
    conv = producers(graph)[scores]
    if conv.op_type != "Conv" or channels == 1:
        sizes = ", ".join([str(channels)] * len(planes))
        split = parser.parse_graph(f"""
            split (float[N, C, h, w] {scores}) => (float[N, c, h, w] {planes[0]})
            <int64[{len(planes)}] labels_split = {{{sizes}}}>
            {{ {", ".join(planes)} = Split <axis = 1> ({scores}, labels_split) }}""")
        graph.initializer.extend(split.initializer)
        return list(split.node)
    nodes = []
    for label, plane in enumerate(planes):
        outputs = slice(label * channels, (label + 1) * channels)
        nodes += changed_convolution(graph, conv, f"_{plane}", lambda kernel: kernel, outputs)
        nodes[-1].output[0] = plane
    return nodes


def take_frames(
    model: onnx.ModelProto,
    mean: Sequence[float],
    std: Sequence[float],
    pad_to: int | None = None,
) -> onnx.ModelProto:
    """Put the preparation of a decoded image in front of a model.

    In mmseg's order: BGR to RGB, (x - mean) / std, zeros at the bottom and on the right.

    Args:
        model: One input, a normalised image: float32 of shape (1, 3, H, W), RGB; one output, the
            logits: float32 of shape (1, C, H, W).
        mean: One number a channel, RGB, in units of 0..255.
        std: Likewise, positive.
        pad_to: Pad up to multiples of this and crop the logits accordingly; None for a model of
            fixed size, which is not padded.

    Returns:
        A copy with one input ``frame``: uint8 of shape (1, H, W, 3), BGR.

    Raises:
        GraphError: The model has another input or output.
    """
    tensor, (batch, channels, height, width) = _only(model.graph.input, "input")
    logits, (_, classes, *_) = _only(model.graph.output, "output")
    model = copy_model(model)
    if pad_to is not None:
        batch, height, width = "1", "height", "width"
        rename_result(model.graph, logits, "frame_logits")
    before = unshuffle_frames(model, FRAME, mean, std, pad_to)
    if before is None:
        before = _planes(tensor, channels, mean, std, pad_to)
    interface = parser.parse_graph(f"""
        frames (uint8[{batch}, {height}, {width}, 3] {FRAME})
        => (float[{batch}, {classes}, {height}, {width}] {logits})
        <int64[2] frame_origin = {{0, 0}}, int64[2] frame_axes = {{2, 3}}>
        {{ {logits} = Slice (frame_logits, frame_origin, frame_size, frame_axes) }}""")
    nodes = [*before.node, *model.graph.node, *(interface.node if pad_to is not None else [])]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend([*before.initializer, *interface.initializer])
    remove_unread(model.graph)
    model.graph.input[0].CopyFrom(interface.input[0])
    model.graph.output[0].CopyFrom(interface.output[0])
    return checked(model)


def _planes(
    tensor: str, channels: str, mean: Sequence[float], std: Sequence[float], pad_to: int | None
) -> onnx.GraphProto:
    """Return what turns a frame into the normalised image, and pads it."""
    pad, normalised = "", tensor
    if pad_to is not None:
        normalised = "frame_normalised"
        # Of a negative number by a positive one, ONNX's Mod is positive, as Python's is.
        pad = f"""
            frame_size = Shape <start = 1, end = 3> ({FRAME})
            frame_minus_size = Neg (frame_size)
            frame_missing = Mod (frame_minus_size, frame_pad_to)
            frame_pads = Concat <axis = 0> (frame_zeros, frame_missing)
            {tensor} = Pad (frame_normalised, frame_pads)"""
    return parser.parse_graph(f"""
        frames (uint8[1, H, W, 3] {FRAME}) => (float[1, {channels}, h, w] {tensor})
        <int64[3] frame_bgr_to_rgb = {{2, 1, 0}},
         float[1, {channels}, 1, 1] frame_mean = {{{", ".join(map(str, map(float, mean)))}}},
         float[1, {channels}, 1, 1] frame_std = {{{", ".join(map(str, map(float, std)))}}},
         int64[6] frame_zeros = {{0, 0, 0, 0, 0, 0}}, int64[1] frame_pad_to = {{{pad_to or 1}}}>
        {{
            frame_bgr = Transpose <perm = [0, 3, 1, 2]> ({FRAME})
            frame_rgb = Gather <axis = 1> (frame_bgr, frame_bgr_to_rgb)
            frame_float = Cast <to = {onnx.TensorProto.FLOAT}> (frame_rgb)
            frame_centred = Sub (frame_float, frame_mean)
            {normalised} = Div (frame_centred, frame_std)
            {pad}
        }}""")


def _only(values: Sequence[onnx.ValueInfoProto], what: str) -> tuple[str, list[str]]:
    """Return the name of the only input or output, and its four sides as ONNX's text has them."""
    shapes = [value.type.tensor_type.shape.dim for value in values]
    if len(values) != 1 or len(shapes[0]) != 4:
        raise GraphError(
            f"the model's {what}s are {[value.name for value in values]}: one of shape "
            "(N, C, H, W) is needed; export it again with with_argmax=False"
        )
    sides = [
        str(dim.dim_value)
        if dim.HasField("dim_value")
        else (dim.dim_param if dim.dim_param.isidentifier() else "?")
        for dim in shapes[0]
    ]
    return values[0].name, sides
