"""What is moved to the bytes of a frame, and what stays as it is."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from lwam_mm.deploy.unshuffled_frames import unshuffle_frames

MEAN, STD = (10.0, 20.0, 30.0), (1.0, 2.0, 3.0)
MOVES = """
    cut = Reshape (input, sides)
    moved = Transpose <perm = [0, 1, 3, 5, 2, 4]> (cut)
    unshuffled = Reshape (moved, flat)"""


def graph(body, result="output", channels=12):
    model = parser.parse_model(f"""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1, 3, 4, 4] input) => (float[1, 2, h, w] {result})
        <int64[6] sides = {{1, 3, 2, 2, 2, 2}}, int64[4] flat = {{1, 12, 2, 2}},
         float scale = {{0.1}}, uint8 zero = {{128}}>
        {{ {body} }}""")
    kernel = np.arange(2 * channels, dtype=np.float32).reshape(2, channels, 1, 1)
    model.graph.initializer.append(numpy_helper.from_array(kernel, "kernel"))
    return model


def test_the_kernel_takes_the_channels_in_the_order_of_the_bytes():
    model = graph(f"{MOVES} output = Conv (unshuffled, kernel)")
    added = unshuffle_frames(model, "frame", MEAN, STD)
    (conv,) = model.graph.node
    (kernel,) = (t for t in model.graph.initializer if t.name == conv.input[1])
    # Row by row of a block, each pixel BGR; before, a colour's four pixels together, RGB.
    assert numpy_helper.to_array(kernel)[0].ravel().tolist() == [
        8, 4, 0, 9, 5, 1, 10, 6, 2, 11, 7, 3
    ]  # fmt: skip
    values = {t.name: numpy_helper.to_array(t).ravel() for t in added.initializer}
    assert values["frame_mean"].tolist() == [30, 20, 10] * 4
    assert values["frame_std"].tolist() == [3, 2, 1] * 4
    assert {t.name for t in model.graph.initializer} & {"sides", "flat", "kernel"} == set()


@pytest.mark.parametrize(
    "body",
    [
        "output = Conv (input, kernel)",
        MOVES.replace("5, 2, 4", "2, 5, 4") + "output = Conv (unshuffled, kernel)",
        MOVES + "half = Conv (unshuffled, kernel) other = Conv (unshuffled, kernel)"
        " output = Add (half, other)",
        MOVES + "rest = Relu (unshuffled) output = Conv (rest, kernel)",
        "bytes = QuantizeLinear (input, scale, zero) floats = DequantizeLinear (bytes, scale, zero)"
        + MOVES.replace("(input", "(floats")
        + "output = Conv (unshuffled, kernel)",
    ],
    ids=["no unshuffle", "another order", "two readers", "no convolution", "quantized before"],
)
def test_whatever_is_no_plain_unshuffle_stays(body):
    model = graph(body, channels=3 if "Conv (input" in body else 12)
    before = onnx.ModelProto()
    before.CopyFrom(model)
    assert unshuffle_frames(model, "frame", MEAN, STD) is None
    assert model == before
