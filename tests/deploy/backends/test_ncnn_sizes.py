from __future__ import annotations

import io

import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config
from onnxruntime import InferenceSession
from torch import nn

from lwam_mm.deploy.backends import NcnnManager, NcnnWrapper
from lwam_mm.deploy.backends.ncnn_sizes import with_fixed_sizes

pytest.importorskip("ncnn")
pytest.importorskip("pnnx")

DEPLOY_CONFIG = Config(dict(backend_config=dict(type="ncnn", precision="FP32")))


def network() -> nn.Module:
    """Return a net that unshuffles images, and again inside."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.PixelUnshuffle(4),
        nn.Conv2d(48, 8, 3, padding=1),
        nn.ReLU(),
        nn.PixelUnshuffle(2),
        nn.Conv2d(32, 5 * 64, 1),
        nn.PixelShuffle(8),
    ).eval()


def export(model: nn.Module, *, dynamic: bool) -> onnx.ModelProto:
    free = {0: "batch", 2: "height", 3: "width"}
    file = io.BytesIO()
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, 64, 96),),
        file,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes=dict(input=free, output=free) if dynamic else None,
        dynamo=False,
        opset_version=17,
    )
    return onnx.load_from_string(file.getvalue())


@pytest.mark.parametrize("dynamic", [False, True])
def test_any_size_gives_torchs_logits(dynamic, tmp_path):
    model = network()
    onnx.save(export(model, dynamic=dynamic), tmp_path / "model.onnx")
    files = NcnnManager.to_backend([str(tmp_path / "model.onnx")], str(tmp_path), DEPLOY_CONFIG)
    wrapper = NcnnWrapper(*files)
    for height, width in ((64, 96), (48, 32), (256, 272)):
        images = torch.randn(2, 3, height, width)
        with torch.no_grad():
            expected = model(images)
        found = wrapper({"input": images})["output"]
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_the_fixed_model_computes_the_same():
    model = export(network(), dynamic=True)
    before = model.SerializeToString()
    fixed = with_fixed_sizes(model)
    assert model.SerializeToString() == before
    onnx.checker.check_model(fixed, full_check=True)
    (value,) = fixed.graph.input
    shape = [side.dim_value for side in value.type.tensor_type.shape.dim]
    assert shape[:2] == [1, 3]
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    first, second = (
        InferenceSession(m.SerializeToString()).run(None, {"input": image})[0]
        for m in (model, fixed)
    )
    np.testing.assert_array_equal(first, second)


def test_a_model_of_a_fixed_size_stays_as_it_is():
    model = export(network(), dynamic=False)
    assert with_fixed_sizes(model) is model
