from __future__ import annotations

import pytest
import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from lwam_mm.models.decode_heads.full_resolution_head import FullResolutionHead

LOSS = dict(type="CrossEntropyLoss", avg_non_ignore=True)


class Head(FullResolutionHead):
    """The smallest one: a classifier."""

    def __init__(self, **kwargs) -> None:
        kwargs = dict(loss_decode=LOSS) | kwargs
        super().__init__(in_channels=4, channels=4, num_classes=3, **kwargs)

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


TWO_LOSSES = [LOSS, dict(type="DiceLoss", loss_weight=0.5)]
SAME_NAME = [LOSS, dict(LOSS, loss_weight=2.0)]
MINED = dict(type="OHEMPixelSampler", thresh=0.7, min_kept=10)


@pytest.mark.parametrize(
    ("losses", "sampler"),
    [(LOSS, None), (TWO_LOSSES, None), (SAME_NAME, None), (SAME_NAME, MINED)],
)
def test_loss_is_mmsegs(features, make_batch, losses, sampler):
    _, samples = make_batch(2, 8, 12)
    for sample in samples:
        sample.gt_sem_seg.data %= 3
    samples[0].gt_sem_seg.data[:, 2:5] = 255
    head = Head(loss_decode=losses, sampler=sampler)
    found = head.loss(features, samples, train_cfg=dict())
    expected = BaseDecodeHead.loss_by_feat(head, head(features), samples)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value.reshape(found[name].shape), msg=name)


def test_accuracy_of_a_batch_without_a_counted_pixel_is_zero(features, make_batch):
    _, samples = make_batch(2, 8, 12)
    for sample in samples:
        sample.gt_sem_seg.data.fill_(255)
    assert Head().loss(features, samples, train_cfg=dict())["acc_seg"] == 0
