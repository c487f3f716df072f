"""Moves a network's pixel-unshuffle to the bytes of the frame.

SpreadNet begins with a pixel-unshuffle: the frame would be brought into planes, turned into floats
and then cut into blocks of pixels, each time over the whole image. Here the blocks are cut from the
bytes, in short runs that lie together in the frame, and stay in the order in which the first
convolution reads them. Its kernel gets the channels of a block in that order too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import parser

from lwam_mm.utils.onnx_graphs import (
    PIXEL_UNSHUFFLE,
    attributes,
    changed_convolution,
    producers,
    readers,
    remove_unread,
    rename_result,
)

_MOVES = ("Unsqueeze", "Reshape", "Transpose", "Squeeze")
_UNSHUFFLED = "frame_unshuffled"
_COLOURS = 3


def unshuffle_frames(
    model: onnx.ModelProto,
    frame: str,
    mean: Sequence[float],
    std: Sequence[float],
    pad_to: int | None = None,
) -> onnx.GraphProto | None:
    """Take the pixel-unshuffle out of a model, and make what replaces it.

    Args:
        model: One input, a normalised image: float32 of shape (1, 3, H, W), RGB. It is changed if
            there is something to move.
        frame: Name of the result that holds the frame, uint8 of shape (1, H, W, 3), BGR.
        mean: One number a channel, RGB, in units of 0..255.
        std: Likewise, positive.
        pad_to: Pad up to multiples of this, as a normalised image is padded: with zeros. None for
            a frame of fixed size, whose sides are multiples of the block.

    Returns:
        Nodes and initializers to put in front of the model; their names begin with ``frame_``. None
        if it does not begin with a pixel-unshuffle that a single convolution reads.
    """
    graph = model.graph
    moves, conv = _entry(graph)
    block = None if conv is None else _block(graph, conv)
    if conv is None or block is None:
        return None

    def as_in_frame(weights: np.ndarray) -> np.ndarray:
        outputs, _, *taps = weights.shape
        planes = weights.reshape(outputs, _COLOURS, block, block, *taps)[:, ::-1]  # BGR
        return planes.transpose(0, 2, 3, 1, 4, 5).reshape(weights.shape)

    rename_result(graph, moves[-1].output[0], _UNSHUFFLED)
    new = changed_convolution(graph, conv, "_of_frame", as_in_frame)
    place = list(graph.node).index(conv) - len(moves)
    for node in (*moves, conv):
        graph.node.remove(node)
    for node in reversed(new):
        graph.node.insert(place, node)
    remove_unread(graph)
    return _from_bytes(frame, block, mean, std, pad_to)


def _entry(graph: onnx.GraphProto) -> tuple[list[onnx.NodeProto], onnx.NodeProto | None]:
    """Return the moves of the pixel-unshuffle at the input, and the convolution that reads it."""
    moves: list[onnx.NodeProto] = []
    name, quantized = graph.input[0].name, False
    while len(found := readers(graph, name)) == 1:
        (node,) = found
        if node.op_type == "Conv":
            orders = [attributes(move)["perm"] for move in moves if move.op_type == "Transpose"]
            return moves, node if orders == [PIXEL_UNSHUFFLE] else None
        if node.op_type in _MOVES and not quantized:
            moves.append(node)
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            quantized = True
        else:
            break
        name = node.output[0]
    return moves, None


def _block(graph: onnx.GraphProto, conv: onnx.NodeProto) -> int | None:
    """Return the side of the blocks whose pixels are the convolution's channels, px."""
    source = producers(graph).get(conv.input[1])
    kernel = source.input[0] if source else conv.input[1]
    (channels,) = (tensor.dims[1] for tensor in graph.initializer if tensor.name == kernel)
    block = math.isqrt(channels // _COLOURS)
    return block if _COLOURS * block**2 == channels else None


def _from_bytes(
    frame: str, block: int, mean: Sequence[float], std: Sequence[float], pad_to: int | None
) -> onnx.GraphProto:
    run, channels = _COLOURS * block, _COLOURS * block**2
    bgr_mean, bgr_std = (
        ", ".join([str(float(value)) for value in values[::-1]] * block**2)
        for values in (mean, std)
    )
    padded, scaled, pad, mask = frame, "frame_normalised", "", ""
    if pad_to is not None:
        padded, scaled = "frame_padded", "frame_scaled"
        # Of a negative number by a positive one, ONNX's Mod is positive, as Python's is. Lines are
        # padded, not pixels, because OpenVINO copies what lies along the last axis in one piece.
        pad = f"""
            frame_size = Shape <start = 1, end = 3> ({frame})
            frame_minus_size = Neg (frame_size)
            frame_missing = Mod (frame_minus_size, frame_pad_to)
            frame_missing_bytes = Mul (frame_missing, frame_pixel)
            frame_pads = Concat <axis = 0> (frame_zeros, frame_missing_bytes)
            frame_lines = Reshape ({frame}, frame_line)
            {padded} = Pad (frame_lines, frame_pads)"""
        # Bytes of 0 are not 0 when normalised, so rows and columns of padding are set to it.
        mask = f"""
            frame_height, frame_width = Split <axis = 0> (frame_size)
            frame_below, frame_right = Split <axis = 0> (frame_missing)
            {_mask("row", "frame_height", "frame_below")}
            {_mask("column", "frame_width", "frame_right")}
            frame_rows_set = Mul ({scaled}, frame_row_mask)
            frame_normalised = Mul (frame_rows_set, frame_column_mask)"""
    return parser.parse_graph(f"""
        frames (uint8[1, H, W, {_COLOURS}] {frame}) => (float[1, {channels}, h, w] {_UNSHUFFLED})
        <int64[4] frame_runs = {{0, 0, -1, {run}}}, int64[1] frame_band_axis = {{1}},
         int64[5] frame_bands = {{0, -1, {block}, 0, 0}}, int64[4] frame_flat = {{0, 0, 0, -1}},
         float[1, 1, 1, {channels}] frame_mean = {{{bgr_mean}}},
         float[1, 1, 1, {channels}] frame_std = {{{bgr_std}}},
         int64[1] frame_pad_to = {{{pad_to or 1}}}, int64[1] frame_zero = {{0}},
         int64[3] frame_line = {{0, 0, -1}}, int64[2] frame_pixel = {{1, {_COLOURS}}},
         int64[4] frame_zeros = {{0, 0, 0, 0}},
         int64[5] frame_row_sides = {{1, -1, 1, {block}, 1}},
         int64[5] frame_row_repeats = {{1, 1, 1, 1, {run}}},
         int64[4] frame_row_flat = {{1, -1, 1, {channels}}},
         int64[6] frame_column_sides = {{1, 1, -1, 1, {block}, 1}},
         int64[6] frame_column_repeats = {{1, 1, 1, {block}, 1, {_COLOURS}}},
         int64[4] frame_column_flat = {{1, 1, -1, {channels}}}>
        {{
            {pad}
            frame_in_runs = Reshape ({padded}, frame_runs)
            frame_band = Unsqueeze (frame_in_runs, frame_band_axis)
            frame_in_bands = Reshape (frame_band, frame_bands)
            frame_in_blocks = Transpose <perm = [0, 1, 3, 2, 4]> (frame_in_bands)
            frame_bytes = Reshape (frame_in_blocks, frame_flat)
            frame_float = Cast <to = {onnx.TensorProto.FLOAT}> (frame_bytes)
            frame_centred = Sub (frame_float, frame_mean)
            {scaled} = Div (frame_centred, frame_std)
            {mask}
            {_UNSHUFFLED} = Transpose <perm = [0, 3, 1, 2]> (frame_normalised)
        }}""")


def _mask(axis: str, size: str, missing: str) -> str:
    """Return the nodes of a mask: 1 where a block's rows or columns are in the frame, 0 else."""
    return f"""
            frame_{axis}_ones = ConstantOfShape <value = float[1] {{1.0}}> ({size})
            frame_{axis}_pads = Concat <axis = 0> (frame_zero, {missing})
            frame_{axis}_padded = Pad (frame_{axis}_ones, frame_{axis}_pads)
            frame_{axis}_blocks = Reshape (frame_{axis}_padded, frame_{axis}_sides)
            frame_{axis}_tiled = Tile (frame_{axis}_blocks, frame_{axis}_repeats)
            frame_{axis}_mask = Reshape (frame_{axis}_tiled, frame_{axis}_flat)"""
