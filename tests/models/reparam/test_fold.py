from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from lwam_mm.models import FoldableConv, QARepConv, RepConv, reparameterize
from lwam_mm.models.reparam.fold import NonFiniteFoldError

GEOMETRIES = [
    pytest.param(dict(in_channels=4, out_channels=6), id="wider"),
    pytest.param(dict(in_channels=6, out_channels=6), id="with identity"),
    pytest.param(dict(in_channels=6, out_channels=6, stride=2), id="strided"),
    pytest.param(dict(in_channels=6, out_channels=6, dilation=3), id="dilated"),
    pytest.param(dict(in_channels=6, out_channels=6, groups=3), id="grouped"),
    pytest.param(dict(in_channels=6, out_channels=6, groups=6), id="depthwise"),
    pytest.param(dict(in_channels=4, out_channels=8, groups=2, stride=2, dilation=2), id="all"),
]


@pytest.fixture(params=[RepConv, QARepConv])
def block_type(request) -> type[FoldableConv]:
    return request.param


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("branches", list(itertools.product((True, False), repeat=2)))
def test_folded_block_computes_the_same(block_type, geometry, branches, randomise_batch_norms):
    with_1x1, with_identity = branches
    block = block_type(**geometry, with_1x1=with_1x1, with_identity=with_identity).eval()
    randomise_batch_norms(block)
    x = torch.randn(2, geometry["in_channels"], 11, 13)
    expected = block(x)
    folded = reparameterize(block)
    assert [type(m) for m in folded.children()] == [nn.ReLU, nn.Conv2d]
    torch.testing.assert_close(folded(x), expected, atol=1e-5, rtol=1e-5)
    assert expected.abs().max() > 0.1  # not a comparison of zeros


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_fold_keeps_dtype(block_type, dtype, randomise_batch_norms):
    block = randomise_batch_norms(block_type(4, 4)).eval().to(dtype)
    folded = reparameterize(block)
    assert folded.folded.weight.dtype == folded.folded.bias.dtype == dtype
    # What half precision loses is its own rounding of the kernel, no more.
    x = torch.randn(1, 4, 8, 8, dtype=torch.float64)
    exact = block.double()(x)
    tolerance = 16 * torch.finfo(dtype).eps * exact.abs().max().item()
    assert (folded.double()(x) - exact).abs().max().item() <= max(tolerance, 1e-12)


def test_fold_of_sync_batch_norm(block_type, randomise_batch_norms):
    plain = randomise_batch_norms(block_type(4, 4)).eval()
    synced = block_type(4, 4, norm_cfg=dict(type="SyncBN", requires_grad=True)).eval()
    synced.load_state_dict(plain.state_dict())
    assert isinstance(synced.norm3x3, nn.SyncBatchNorm)
    torch.testing.assert_close(
        reparameterize(synced).folded.weight, reparameterize(plain).folded.weight, atol=0, rtol=0
    )


def test_fold_on_another_device(block_type):
    with torch.device("meta"):
        block = block_type(4, 4).eval()
    folded = reparameterize(block)
    assert folded.folded.weight.device.type == "meta"
    assert folded(torch.empty(1, 4, 8, 8, device="meta")).shape == (1, 4, 8, 8)


def test_norm_without_affine_map(block_type, randomise_batch_norms):
    block = block_type(4, 4, norm_cfg=dict(type="BN", affine=False)).eval()
    randomise_batch_norms(block)
    x = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(reparameterize(block)(x), block(x), atol=1e-5, rtol=1e-5)


def test_any_module_that_holds_blocks(block_type, randomise_batch_norms):
    model = nn.Sequential(block_type(3, 8), nn.Sequential(block_type(8, 8), nn.MaxPool2d(2))).eval()
    randomise_batch_norms(model)
    x = torch.randn(1, 3, 8, 8)
    expected = model(x)
    folded = reparameterize(model)
    torch.testing.assert_close(folded(x), expected, atol=1e-5, rtol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    # the original is as it was
    assert any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert torch.equal(model(x), expected)


def test_inplace_and_idempotent(block_type, randomise_batch_norms):
    model = randomise_batch_norms(nn.Sequential(block_type(3, 8))).eval()
    assert reparameterize(model, inplace=True) is model
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    again = reparameterize(reparameterize(model), inplace=True)
    assert weights.keys() == again.state_dict().keys() == {"0.folded.weight", "0.folded.bias"}
    for name, value in again.state_dict().items():
        assert torch.equal(value, weights[name])


def test_module_without_blocks_is_left_alone():
    model = nn.Conv2d(1, 1, 1)
    assert reparameterize(model, inplace=True) is model
    assert torch.equal(reparameterize(model).weight, model.weight)


def test_refuses_training_mode_and_changes_nothing(block_type):
    model = nn.Sequential(block_type(3, 8), block_type(8, 8)).eval()
    model[1].norm3x3.train()
    with pytest.raises(
        RuntimeError, match=r"block '1' in training mode \(norm3x3 is\).*\.eval\(\)"
    ):
        reparameterize(model, inplace=True)
    assert not model[0].is_folded
    with pytest.raises(RuntimeError, match=f"a {block_type.__name__} in training mode"):
        block_type(3, 3).switch_to_deploy()


def test_folded_block_can_stay_in_training_mode(block_type):
    folded = reparameterize(block_type(3, 3).eval()).train()
    assert reparameterize(folded, inplace=True).is_folded


def test_frozen_stays_frozen(block_type):
    block = block_type(3, 3).eval().requires_grad_(False)
    assert not any(p.requires_grad for p in reparameterize(block).parameters())


def test_deploy_form_loads_folded_weights(block_type, randomise_batch_norms):
    block = randomise_batch_norms(block_type(4, 6, stride=2, dilation=2)).eval()
    folded = reparameterize(block)
    built = block_type(4, 6, stride=2, dilation=2, deploy=True).eval()
    built.load_state_dict(folded.state_dict())
    x = torch.randn(1, 4, 9, 9)
    assert torch.equal(built(x), folded(x))


def test_norm_that_does_not_fold_is_refused(block_type):
    with pytest.raises(
        TypeError, match=f"GroupNorm, which cannot be folded; a {block_type.__name__}"
    ):
        block_type(4, 4, norm_cfg=dict(type="GN", num_groups=2))
    with pytest.raises(TypeError, match="running statistics"):
        block_type(4, 4, norm_cfg=dict(type="BN", track_running_stats=False))


def overflowing(block: FoldableConv) -> FoldableConv:
    """Finite in float16, but a batch norm scales by 1 / sqrt(eps)."""
    norm = next(module for module in block.modules() if isinstance(module, nn.BatchNorm2d))
    norm.running_var.zero_()
    nn.init.constant_(norm.weight, 1000)
    nn.init.constant_(block.conv3x3.weight, 2)
    return block.half()


def test_fold_beyond_the_range_of_half_precision_is_refused(block_type):
    model = nn.Sequential(block_type(3, 8), block_type(8, 8)).eval().half()
    overflowing(model[1])
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    message = r"cannot fold block '1': .*torch\.float16 ends at 6\.55e\+04; .*model\.float\(\)"
    for inplace in (False, True):
        with pytest.raises(NonFiniteFoldError, match=message):
            reparameterize(model, inplace=inplace)
        assert not model[0].is_folded  # nothing was changed
    with pytest.raises(NonFiniteFoldError, match=f"a {block_type.__name__}"):
        model[1].switch_to_deploy()
    assert reparameterize(model.float())[1].folded.weight.abs().max() > 65504


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("part", ["conv3x3.weight", "conv1x1.weight", "norm3x3.running_mean"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(block_type, dtype, part, value):
    model = nn.Sequential(block_type(3, 8)).eval().to(dtype)
    model[0].state_dict()[part].view(-1)[-1] = value
    with pytest.raises(NonFiniteFoldError, match=r"block '0'.*infinite or NaN.*earlier checkpoint"):
        reparameterize(model, inplace=True)
    assert not model[0].is_folded
