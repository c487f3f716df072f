from __future__ import annotations

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmengine.config import Config
from torch import nn

from lwam_mm.lab.benchmark.candidates import peer_config
from lwam_mm.lab.benchmark.models import (
    Network,
    build,
    count,
    count_elements,
    count_macs,
    draw_frame,
    draw_layers,
    image_for,
    logits,
    products,
)
from lwam_mm.runtime import Predictor
from lwam_mm.runtime.engines.load_engine import load_engine
from lwam_mm.runtime.pre_and_postprocessing import to_batch


class Known(nn.Module):
    """A network whose multiply-accumulates one can count by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x, mode):
        assert mode == "tensor"
        x = self.up(self.grouped(self.first(x)).relu())
        tokens = x.flatten(2).transpose(1, 2)
        return self.attention(tokens, tokens, tokens, need_weights=False)[0]


def test_a_known_network_counted_by_hand():
    side = 16
    first = (side // 2) ** 2 * 8 * 3 * 9
    grouped = (side // 2) ** 2 * 8 * 2 * 9
    up = side**2 * 4 * 8  # each output pixel comes from one input pixel
    tokens = side**2
    projections = tokens * 4 * 4 * 4  # query, key, value and output
    attention = 2 * tokens * tokens * 4  # scores, and their sums of values
    with torch.device("meta"):
        model = Known().eval()
    expected = first + grouped + up + projections + attention
    assert count_macs(model, side) == expected
    expected = 3 * 16**2 + 8 * 8**2 + 8 * 3 * 9  # the first: input, output, weights
    expected += 2 * 8 * 8**2 + 8 * 2 * 9  # grouped
    expected += 8 * 8**2 + 4 * 16**2 + 8 * 4 * 2 * 2  # up
    assert count_elements(model, side) == expected


@pytest.mark.parametrize(
    ("config", "folded", "parameters", "gmacs"),
    [
        ("lwrnet/lwrnet-w64_1xb4-2000e_powder-bed-1024x1024.py", True, 3_658_822, 83.08),
        ("lwrnet/lwrnet-w64_1xb4-2000e_powder-bed-1024x1024.py", False, 3_994_470, None),
        ("unetpp/unetpp-w32_1xb4-2000e_powder-bed-1024x1024.py", False, 9_046_904, None),
    ],
)
def test_the_released_networks(repository, config, folded, parameters, gmacs):
    found = count(Config.fromfile(repository / "configs" / config), 1024, folded=folded)
    assert found.parameters == parameters
    if gmacs is not None:
        assert found.macs / 1e9 == pytest.approx(gmacs, abs=0.01)


def test_random_weights_keep_numbers_in_range(networks, layers):
    network = networks["student"]
    model = build(network.config_file, network.checkpoint, folded=False)
    image = image_for(model, layers[0])
    assert image.shape == (1, 3, 64, 64)
    seen = []
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d) and "norm3x3" in name:
            module.register_forward_hook(lambda m, i, o: seen.append(float(o.std())))
    with torch.no_grad():
        found = logits(model, image)
        folded = logits(build(network.config_file, network.checkpoint, folded=True), image)
    assert len(seen) > 5
    assert all(0.2 < std < 5 for std in seen)
    torch.testing.assert_close(folded, found, atol=1e-4, rtol=1e-3)


def test_an_image_is_prepared_as_the_runtime_does(networks, student, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "colour.png"), pixels)
    model = build(networks["student"].config_file, networks["student"].checkpoint, folded=True)
    found = image_for(model, tmp_path / "colour.png").numpy()
    np.testing.assert_allclose(
        found, to_batch(pixels, student.network.exporter(student.classes).manifest.input), atol=1e-5
    )


def test_a_network_at_lower_resolution_is_resized(layers, tmp_path):
    network = Network(peer_config("bisenetv2", 6), None, layers, tmp_path / "peer", 64)
    model = build(network.config_file, network.checkpoint, folded=False)
    image = image_for(model, layers[0])
    with torch.no_grad():
        assert model(image, mode="tensor").shape[2] < 64
        assert logits(model, image).shape == (1, 6, 64, 64)


def test_layers_and_a_frame(tmp_path):
    layers = draw_layers(tmp_path / "new", 64, 2)
    pixels = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in layers]
    assert [(p.shape, p.dtype) for p in pixels] == [((64, 64), np.uint8)] * 2
    assert not np.array_equal(*pixels)
    assert pixels[0].std() > 2
    frame = cv2.imread(str(draw_frame(layers[0], tmp_path / "frame.png")), cv2.IMREAD_UNCHANGED)
    assert frame.shape == (3302, 3772)
    assert np.array_equal(frame[64:128, 640:704], pixels[0])


@pytest.fixture(scope="module")
def expected(student, layers) -> np.ndarray:
    network = student.network
    model = build(network.config_file, network.checkpoint, folded=False)
    with torch.no_grad():
        return logits(model, image_for(model, layers[0])).numpy()


@pytest.mark.parametrize("key", ["onnxruntime", "openvino", "ncnn"])
def test_a_plain_bundle_takes_a_tensor_and_answers_as_torch(key, student, layers, expected):
    bundle = student.bundle(key)
    assert bundle.manifest.input.kind == "tensor"
    model = build(student.network.config_file, student.network.checkpoint, folded=True)
    output = load_engine(bundle, 1)(image_for(model, layers[0]).numpy())
    assert output.labels is None
    np.testing.assert_allclose(output.logits, expected, atol=1e-3, rtol=1e-3)
    assert student.bundle(key) is bundle


@pytest.mark.parametrize("key", ["onnxruntime-int8", "openvino-int8", "ncnn-fp16"])
def test_fewer_bits_give_about_the_same(key, student, layers, expected):
    bundle = student.bundle(key)
    assert bundle.manifest.precision == ("float16" if key.endswith("fp16") else "int8")
    found = Predictor(bundle.root, 1).logits(layers[0])
    difference = np.abs(found - expected[0])
    assert 0 < difference.mean() < 0.2 * np.abs(expected).mean()


def test_a_bundle_for_files_takes_frames(student, layers, expected):
    bundle = student.bundle("openvino", frames=True)
    assert bundle.manifest.input.kind == "frame"
    labels = Predictor(bundle.root, 1)(layers[0]).labels
    assert (labels == expected[0].argmax(0)).mean() > 0.99


def test_a_bundle_of_any_size_has_a_halo(student, layers, expected):
    bundle = student.dynamic_bundle("openvino")
    assert bundle.manifest.input.halo > 16
    labels = Predictor(bundle.root, 1)(layers[0]).labels
    assert (labels == expected[0].argmax(0)).mean() > 0.99


def run_onnx(model: onnx.ModelProto, matrix: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"v0": matrix})[0]


def test_the_chain_multiplies():
    model = products(5, 32, 3, quantized=False)
    matrix = np.random.default_rng(1).standard_normal((5, 32), np.float32)
    expected = matrix
    for tensor in model.graph.initializer:
        expected = expected @ onnx.numpy_helper.to_array(tensor)
    assert len(model.graph.initializer) == 3
    np.testing.assert_allclose(run_onnx(model, matrix), expected, rtol=1e-3, atol=1e-4)


def test_the_quantized_chain_multiplies_about_the_same():
    matrix = np.random.default_rng(1).standard_normal((64, 64), np.float32)
    exact = run_onnx(products(64, 64, 3, quantized=False), matrix)
    found = run_onnx(products(64, 64, 3, quantized=True), matrix)
    assert np.abs(found - exact).mean() < 0.1 * np.abs(exact).mean()
    assert not np.array_equal(found, exact)
