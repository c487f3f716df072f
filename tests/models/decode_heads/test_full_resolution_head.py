from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lwam_mm.models.decode_heads.full_resolution_head import FullResolutionHead

LOSS = dict(type="CrossEntropyLoss", avg_non_ignore=True)


class Head(FullResolutionHead):
    """The smallest one: a classifier."""

    def __init__(self, **kwargs) -> None:
        super().__init__(in_channels=4, channels=4, num_classes=3, loss_decode=LOSS, **kwargs)

    def forward(self, inputs: list[Tensor]) -> Tensor:
        return self.logits(self.cls_seg(self._transform_inputs(inputs)))


@pytest.fixture
def features() -> list[Tensor]:
    return [torch.randn(2, 4, 8, 12)]


def test_prediction_is_the_logits_themselves(features):
    head = Head().eval()
    logits = head(features)
    # A size that differs would make the base class resize.
    metas = [dict(img_shape=(16, 24), ori_shape=(5, 5))] * 2
    assert head.predict_by_feat(logits, metas) is logits
    assert torch.equal(head.predict(features, metas, test_cfg=dict()), logits)


def test_logits_can_be_recorded_though_forward_is_called_directly(features):
    head, recorded = Head().eval(), []
    head.get_submodule("logits").register_forward_hook(lambda m, i, o: recorded.append(o))
    logits = head.forward(features)  # as mmseg does
    assert recorded[0] is logits
    assert list(head.logits.parameters()) == []


def test_dropout_is_off_unless_asked_for(features):
    head = Head().train()
    assert head.dropout_ratio == 0
    assert head.dropout is None
    assert torch.equal(head(features), head(features))
    head = Head(dropout_ratio=0.5).train()
    assert isinstance(head.dropout, nn.Dropout2d)
    assert not torch.equal(head(features), head(features))


def test_loss_is_mmsegs(features, make_batch):
    _, samples = make_batch(2, 8, 12)
    for sample in samples:
        sample.gt_sem_seg.data %= 3
    head = Head()
    losses = head.loss(features, samples, train_cfg=dict())
    truth = torch.cat([sample.gt_sem_seg.data for sample in samples])
    expected = nn.functional.cross_entropy(head(features), truth)
    torch.testing.assert_close(losses["loss_ce"], expected)
