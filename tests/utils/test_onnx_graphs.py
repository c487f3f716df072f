"""A convolution made like another, with other weights."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper, parser

from lwam_mm.utils.onnx_graphs import changed_convolution, remove_unread

BIASES = {"as it is": "", "the name of another": "bias = Identity (other)"}


@pytest.mark.parametrize("bias", BIASES.values(), ids=BIASES)
def test_some_outputs_take_their_part_of_kernel_and_bias(bias):
    """Of equal biases, torch exports one, and an Identity for each other."""
    name = "other" if bias else "bias"
    model = parser.parse_model(f"""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1, 1, h, w] input) => (float[1, 3, h, w] output)
        <float[3] {name} = {{1, 2, 3}}, float[3, 1, 1, 1] kernel = {{4, 5, 6}}>
        {{ {bias} output = Conv (input, kernel, bias) }}""")
    conv = model.graph.node[-1]
    (new,) = changed_convolution(model.graph, conv, "_part", lambda kernel: -kernel, slice(1, 3))
    values = {t.name: numpy_helper.to_array(t).ravel() for t in model.graph.initializer}
    assert values[new.input[1]].tolist() == [-5, -6]
    assert values[new.input[2]].tolist() == [2, 3]
    np.testing.assert_array_equal(values["kernel"], [4, 5, 6])
    model.graph.node[-1].CopyFrom(new)
    remove_unread(model.graph)
    assert {t.name for t in model.graph.initializer} == {new.input[1], new.input[2]}
