from __future__ import annotations

import torch
from mmengine.config import Config
from torch.nn import functional

from lwam_mm.models import QARepConv


def test_branches_exist_as_asked_for():
    block = QARepConv(4, 4)
    assert block.conv1x1.bias is None
    assert block.has_identity
    assert not hasattr(QARepConv(4, 4, with_1x1=False), "conv1x1")
    assert not QARepConv(4, 4, with_identity=False).has_identity
    assert not QARepConv(4, 4, stride=2).has_identity
    assert not QARepConv(4, 5).has_identity


def test_names_of_checkpoints():
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = ["conv3x3.weight", *(f"norm3x3.{name}" for name in norm), "conv1x1.weight"]
    expected += [f"norm_sum.{name}" for name in norm]
    assert list(QARepConv(4, 4).state_dict()) == expected
    assert list(QARepConv(4, 4, deploy=True).state_dict()) == ["folded.weight", "folded.bias"]


def test_computes_the_block_of_the_paper():
    """In training, with the batch's statistics: norms on the 3x3 branch and on the sum alone."""
    block = QARepConv(4, 4).train()
    x = torch.randn(2, 4, 6, 5) + 1

    def normalised(y):
        return functional.batch_norm(y, None, None, training=True)

    dense = functional.conv2d(x, block.conv3x3.weight, padding=1)
    point = functional.conv2d(x, block.conv1x1.weight)
    expected = normalised(normalised(dense) + point + x).relu()
    torch.testing.assert_close(block(x), expected)


def test_configs_differ_from_their_siblings_by_the_block_alone(repository):
    paths = sorted((repository / "configs").rglob("*lwrnet-qa-*.py"))
    assert [path.parent.name for path in paths] == ["distill", "lwrnet"]
    for path in paths:
        config = Config.fromfile(path)
        sibling = Config.fromfile(path.with_name(path.name.replace("-qa-", "-")))
        student = config.model.get("architecture", config.model)
        assert student.backbone.pop("block") == student.decode_head.pop("block") == "QARepConv"
        assert config.to_dict() == sibling.to_dict()
