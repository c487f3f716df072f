from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lwam_mm.models.reparam.fused_branches import FusedBranches
from lwam_mm.models.reparam.rep_conv import RepConv


def block(channels_in: int, channels_out: int, stride: int = 1, **kwargs) -> RepConv:
    torch.manual_seed(0)
    made = RepConv(channels_in, channels_out, stride, **kwargs).train()
    for norm in made.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.affine:
            nn.init.uniform_(norm.weight, -1.5, 1.5)
            nn.init.uniform_(norm.bias, -1, 1)
    return made.to(memory_format=torch.channels_last)


def images(channels: int, size: int = 12, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, channels, size, size, generator=generator).relu() + 0.3
    return x.contiguous(memory_format=torch.channels_last)


def fused_calls(monkeypatch) -> list:
    calls = []
    apply = FusedBranches.apply
    monkeypatch.setattr(FusedBranches, "apply", lambda *inputs: calls.append(1) or apply(*inputs))
    return calls


def run(made: RepConv, x: torch.Tensor, grad: torch.Tensor | None = None):
    """Output, gradients by name and running statistics of two training steps' forward passes."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    made(x.detach() * 2)
    y = made(x)
    grad = torch.linspace(-1, 1, y.numel()).view_as(y) if grad is None else grad
    y.backward(grad.to(y))
    grads = {name: p.grad for name, p in made.named_parameters()}
    return y.detach(), {**grads, "x": x.grad}, dict(made.named_buffers())


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize(
    "shape", [(6, 6, 1, {}), (6, 10, 2, {}), (3, 8, 1, {}), (6, 6, 1, dict(dilation=2)),
              (6, 6, 1, dict(with_identity=False)), (6, 6, 3, {})]
)  # fmt: skip
def test_it_is_the_same_function(shape, momentum, monkeypatch):
    *sizes, options = shape
    plain = block(*sizes, **options)
    for norm in plain.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = momentum
    ours = copy.deepcopy(plain)
    ours.fuses_branches = True
    calls = fused_calls(monkeypatch)
    found = run(ours, images(sizes[0]))
    assert len(calls) == 2
    # float64 is the judge: both round.
    expected = run(plain.double(), images(sizes[0]).double())
    assert found[0].is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found[0].double(), expected[0], atol=1e-5, rtol=1e-5)
    for name, value in expected[1].items():
        scale = value.abs().max().clamp_min(1e-3)
        torch.testing.assert_close(
            found[1][name].double() / scale, value / scale, atol=2e-5, rtol=0, msg=name
        )
    for name, value in expected[2].items():
        torch.testing.assert_close(
            found[2][name].double(), value.double(), atol=1e-6, rtol=1e-5, msg=name
        )


@pytest.mark.parametrize(("channels", "kept"), [(3, 1), (6, 2)])
def test_the_output_of_the_cheap_convolution_is_not_kept(channels, kept):
    """Output of the block, and of the 3x3 convolution unless it reads images."""
    made, saved = block(channels, 8), []
    made.fuses_branches = True
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        y = made(images(channels))
    assert sum(tensor.shape == y.shape for tensor in saved) == kept


def test_the_input_may_have_any_layout(monkeypatch):
    made, calls = block(6, 6), fused_calls(monkeypatch)
    made.fuses_branches = True
    x = images(6)
    assert made(x).equal(made(x.contiguous()))
    assert len(calls) == 2


def test_backward_can_be_repeated():
    made = block(3, 8)
    made.fuses_branches = True
    y = made(images(3)).square().sum()
    first = torch.autograd.grad(y, made.parameters(), retain_graph=True)
    for once, again in zip(first, torch.autograd.grad(y, made.parameters()), strict=True):
        assert once.equal(again)


def test_grey_images_cost_no_accuracy(monkeypatch):
    """Three normalised channels of a grey image are one: most of each moment cancels out."""
    grey = images(1, 32).expand(-1, 3, -1, -1)
    scale, shift = torch.tensor([4.37, 4.46, 4.44]), torch.tensor([-2.1, -2.0, -1.8])
    x = (grey * scale[:, None, None] + shift[:, None, None]).contiguous(
        memory_format=torch.channels_last
    )
    plain = block(3, 8)
    with torch.no_grad():
        weight = plain.conv1x1.weight.flatten(1)
        weight -= 0.999 * (weight @ scale / (scale @ scale))[:, None] * scale
    ours = copy.deepcopy(plain)
    ours.fuses_branches = True
    calls = fused_calls(monkeypatch)
    exact = copy.deepcopy(plain).double()(x.double())
    errors = [(made(x) - exact).abs().max() for made in (ours, plain)]
    assert len(calls) == 1
    assert errors[0] < 2 * errors[1] < 1e-2


@pytest.mark.parametrize("channels", [3, 6])
def test_constant_channels_stay_finite(channels, monkeypatch):
    """Rounding makes some of their variances negative."""
    made, calls = block(channels, channels), fused_calls(monkeypatch)
    made.fuses_branches = True
    x = torch.linspace(3e3, 1e4, channels).view(1, -1, 1, 1).expand(3, -1, 12, 12)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    for _ in range(3):
        y = made(x)
    y.sum().backward()
    assert len(calls) == 3
    tensors = [y, x.grad, *(p.grad for p in made.parameters()), *made.buffers()]
    assert all(tensor.isfinite().all() for tensor in tensors)
    norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(norm.running_var.min() >= 0 for norm in norms)


def test_it_keeps_less(monkeypatch):
    def kept(made: RepConv) -> int:
        storages = {}
        x = images(8, 64).requires_grad_()

        def note(tensor):
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            made(x)
        return sum(storages.values())

    plain = block(8, 8)
    ours = copy.deepcopy(plain)
    ours.fuses_branches = True
    assert kept(ours) < 0.8 * kept(plain)


@pytest.mark.parametrize(
    "reason",
    ["eval", "frozen norm", "not affine", "no statistics", "float64", "autocast",
     "hook", "groups", "no 1x1 branch", "folded", "off"],
)  # fmt: skip
def test_branches_run_one_by_one_where_it_does_not_apply(reason, monkeypatch):
    options = {"groups": dict(groups=2), "no 1x1 branch": dict(with_1x1=False)}.get(reason, {})
    if reason == "not affine":
        options = dict(norm_cfg=dict(type="BN", affine=False))
    made = block(6, 6, **options)
    made.fuses_branches = reason != "off"
    x, calls = images(6), fused_calls(monkeypatch)
    if reason in ("eval", "folded"):
        made.eval()
    if reason == "folded":
        made.switch_to_deploy()
    if reason == "frozen norm":
        made.norm_identity.eval()
    if reason == "no statistics":
        made.norm1x1.track_running_stats = False
    if reason == "float64":
        made, x = made.double(), x.double()
    seen = []
    if reason == "hook":
        made.norm1x1.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.autocast("cpu", torch.bfloat16, enabled=reason == "autocast"):
        y = made(x)
    assert y.shape == x.shape
    assert not calls
    assert bool(seen) == (reason == "hook")
