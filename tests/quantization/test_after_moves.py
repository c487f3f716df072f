import io

import numpy as np
import onnx
import onnx.parser
import pytest
import torch
from onnxruntime import InferenceSession

from lwam_mm.models import SpreadNet, reparameterize
from lwam_mm.quantization.after_moves import quantize_after_moves
from lwam_mm.quantization.quantize import float_layers, quantize

# A pixel-unshuffle by 2 as torch exports it, between quantizers and a convolution.
GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
unshuffle (float[1, 1, 4, 6] x) => (float[1, 1, 2, 3] y, float[1, 4, 2, 3] z)
<float scale = {0.05}, int8 zero = {0}, float[1, 4, 1, 1] weight = {0.5, -1.0, 0.25, 1.5},
 float[1] scales = {0.02}, int8[1] zeros = {0},
 int64[6] apart = {1, 1, 2, 2, 3, 2}, int64[4] channels = {1, 4, 2, 3}>
{
    q = QuantizeLinear (x, scale, zero)
    dq = DequantizeLinear (q, scale, zero)
    split = Reshape (dq, apart)
    turned = Transpose <perm = [0, 1, 3, 5, 2, 4]> (split)
    moved = Reshape (turned, channels)
    wq = QuantizeLinear <axis = 0> (weight, scales, zeros)
    wdq = DequantizeLinear <axis = 0> (wq, scales, zeros)
    [conv] y = Conv (moved, wdq)
    z = Identity (OTHER)
}
"""


def graph(other: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(GRAPH.replace("OTHER", other))


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(1, 1, 4, 6)).astype(np.float32)


def test_the_convolution_reads_quantized_values_and_gives_the_same(image):
    model = onnx.parser.parse_model(
        GRAPH.replace("    z = Identity (OTHER)\n", "").replace(", float[1, 4, 2, 3] z", "")
    )
    moved = quantize_after_moves(model)
    onnx.checker.check_model(moved, full_check=True)
    assert float_layers(model) == ("conv",)
    assert float_layers(moved) == ()
    # The quantizers in front of the moves are gone.
    assert [node.op_type for node in moved.graph.node].count("QuantizeLinear") == 2
    assert moved.graph.node[0].op_type == "Reshape"
    np.testing.assert_array_equal(run(moved, image)[0], run(model, image)[0])


def test_a_moved_tensor_with_another_reader_stays(image):
    model = graph("moved")
    assert quantize_after_moves(model) == model


def test_the_model_that_is_given_is_not_changed():
    model = graph("turned")
    before = model.SerializeToString()
    quantize_after_moves(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("dynamic", [False, True])
def test_spreadnet_is_quantized_throughout(dynamic):
    torch.manual_seed(0)
    net = reparameterize(SpreadNet(channels=(8, 16, 32), depths=(1, 1, 2)).eval())
    file = io.BytesIO()
    example = torch.randn(1, 3, 64, 64)
    torch.onnx.export(
        net,
        (example,),
        file,
        input_names=["x"],
        opset_version=17,
        dynamo=False,
        dynamic_axes={"x": {2: "height", 3: "width"}} if dynamic else None,
    )
    model = onnx.load_from_string(file.getvalue())
    quantized = quantize(model, [example.numpy()])
    assert float_layers(quantized) == ()
    for found, expected in zip(run(quantized, example.numpy()), net(example), strict=True):
        error = np.abs(found - expected.detach().numpy()).mean()
        assert error < 0.1 * expected.abs().mean()
