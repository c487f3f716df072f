from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from lwam_mm.quantization.channel_statistics import channel_statistics


@pytest.mark.parametrize(
    ("pool", "expected"), [("GlobalMaxPool", np.max), ("GlobalAveragePool", np.mean)]
)
def test_results_and_inputs_are_pooled_over_each_image(pool, expected):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Relu", ["input"], ["r"]), helper.make_node("Neg", ["r"], ["output"])],
        "net",
        [value("input", TensorProto.FLOAT, [1, 2, "h", "w"])],
        [value("output", TensorProto.FLOAT, [1, 2, "h", "w"])],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    before = model.SerializeToString()
    rng = np.random.default_rng(0)
    images = [
        rng.normal(size=(1, 2, *size)).astype(np.float32) for size in ((4, 6), (3, 5), (2, 2))
    ]
    found = channel_statistics(model, ["input", "r"], images, pool)
    assert model.SerializeToString() == before
    assert found.keys() == {"input", "r"}
    for values, change in ((found["input"], lambda x: x), (found["r"], lambda x: x.clip(0))):
        own = [expected(change(image), axis=(0, 2, 3)) for image in images]
        np.testing.assert_allclose(values, own, rtol=1e-5)


def test_nothing_to_watch():
    assert channel_statistics(None, [], [], "GlobalMaxPool") == {}
