from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lwam_mm.models import LWRHead, QARepConv

LOSS = dict(type="CrossEntropyLoss", avg_non_ignore=True)


def make_head(base_channels: int = 8, num_classes: int = 6, **kwargs) -> LWRHead:
    return LWRHead(base_channels, num_classes=num_classes, loss_decode=LOSS, **kwargs)


@pytest.fixture
def features() -> list[Tensor]:
    return [torch.randn(2, 64, 2, 3)]


def test_logits_are_sixteen_times_as_large(features):
    assert make_head(num_classes=4).eval()(features).shape == (2, 4, 32, 48)


def test_logits_can_be_recorded(features):
    head, recorded = make_head().eval(), []
    head.get_submodule("logits").register_forward_hook(lambda m, i, o: recorded.append(o))
    assert head.forward(features) is recorded[0]


def test_channels_halve_four_times():
    head = LWRHead(num_classes=6, loss_decode=LOSS)
    widths = [(u.in_channels, u.out_channels, u.kernel_size, u.stride) for u in head.upsamples]
    assert widths == [(w, w // 2, (2, 2), (2, 2)) for w in (512, 256, 128, 64)]
    convs = [block.conv3x3 for block in head.blocks]
    assert [(c.in_channels, c.out_channels) for c in convs] == [(w, w) for w in (256, 128, 64, 32)]
    assert all(hasattr(block, "norm_identity") for block in head.blocks)
    assert (head.conv_seg.in_channels, head.conv_seg.kernel_size) == (32, (1, 1))
    assert head.conv_seg.bias is not None


def test_last_feature_alone_is_used(features):
    head = make_head().eval()
    expected = head(features)
    assert torch.equal(head([torch.full((2, 8, 32, 48), torch.nan), *features]), expected)


def test_branches_can_be_switched_off(count_parameters):
    def count(**branches) -> int:
        return count_parameters(make_head(**branches))

    widths = (32, 16, 8, 4)
    points = sum(w * w + 2 * w for w in widths)
    identities = sum(2 * w for w in widths)
    assert count() - count(with_1x1=False) == points
    assert count() - count(with_identity=False) == identities
    assert count() - count(with_1x1=False, with_identity=False) == points + identities


@pytest.mark.parametrize("base_channels", [1, 7])
def test_width_that_cannot_be_halved_is_refused(base_channels):
    with pytest.raises(ValueError, match=f"base_channels={base_channels}.*even"):
        make_head(base_channels)


def test_norm_is_an_argument():
    head = make_head(norm_cfg=dict(type="SyncBN"))
    assert sum(isinstance(m, nn.SyncBatchNorm) for m in head.modules()) == 12
    assert not any(isinstance(m, nn.BatchNorm2d) for m in head.modules())


def test_init_weights_leaves_torchs_own():
    head = make_head(repeat_pixels=False)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    head.init_weights()
    assert all(torch.equal(before[name], value) for name, value in head.state_dict().items())


def test_block_is_an_argument():
    head = make_head(block="QARepConv", with_identity=False)
    assert [type(block) for block in head.blocks] == [QARepConv] * 4
    assert not any(block.has_identity for block in head.blocks)


@pytest.mark.parametrize("block", ["RepConv", "QARepConv"])
def test_fold(features, randomise_batch_norms, block):
    head = randomise_batch_norms(make_head(block=block)).eval()
    with torch.no_grad():
        expected = head(features)
        assert expected.std() > 0.01
        head.train().switch_to_deploy()
        assert not any(module.training for module in head.modules())
        torch.testing.assert_close(head(features), expected, atol=1e-5, rtol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in head.modules())
    assert make_head(deploy=True).state_dict().keys() == head.state_dict().keys()


def test_upsampling_begins_as_a_repetition_of_each_pixel(features):
    for repeats in (True, False):
        head = make_head(repeat_pixels=repeats)
        head.init_weights()
        x = head.upsamples[0](features[0])
        blocks = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # (N, C, h, 2, w, 2)
        assert torch.equal(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks)) is repeats
        assert x.std() > 0.01
