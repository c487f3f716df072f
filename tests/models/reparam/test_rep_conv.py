from __future__ import annotations

import torch
from torch.nn import functional

from lwam_mm.models import RepConv


def test_branches_exist_as_asked_for():
    names = {name for name, _ in RepConv(4, 4).named_children()}
    assert {"conv3x3", "conv1x1", "norm_identity"} <= names
    assert not hasattr(RepConv(4, 4, with_1x1=False), "conv1x1")
    assert not hasattr(RepConv(4, 4, with_1x1=False), "norm1x1")
    assert not hasattr(RepConv(4, 4, with_identity=False), "norm_identity")
    assert not hasattr(RepConv(4, 4, stride=2), "norm_identity")
    assert not hasattr(RepConv(4, 5), "norm_identity")


def test_names_of_checkpoints():
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = ["conv3x3.weight", *(f"norm3x3.{name}" for name in norm), "conv1x1.weight"]
    expected += [f"{layer}.{name}" for layer in ("norm1x1", "norm_identity") for name in norm]
    assert list(RepConv(4, 4).state_dict()) == expected
    assert list(RepConv(4, 4, deploy=True).state_dict()) == ["folded.weight", "folded.bias"]


def test_computes_the_block_of_the_paper():
    """In training, with the batch's statistics: a norm on each branch, then sum and ReLU."""
    block = RepConv(4, 4).train()
    x = torch.randn(2, 4, 6, 5)

    def normalised(y):
        return functional.batch_norm(y, None, None, training=True)

    dense = functional.conv2d(x, block.conv3x3.weight, padding=1)
    point = functional.conv2d(x, block.conv1x1.weight)
    expected = (normalised(dense) + normalised(point) + normalised(x)).relu()
    torch.testing.assert_close(block(x), expected)
