"""The receptive field of a network, as the halo that its tiles need."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

# Each try doubles the image; a student's halo is some 100 pixels.
_FIRST_SIDE = 256
_LARGEST_SIDE = 2048


def tile_halo(model: nn.Module, divisor: int) -> int | None:
    """Measure the pixels around a tile that the logits inside it depend on.

    In a copy of the network with positive weights nothing cancels out and no ReLU is closed: the
    gradient of the logits of one cell of the grid is nonzero exactly in its receptive field.

    Args:
        model: A segmentor that maps (N, 3, H, W) to logits (N, C, H, W) with ``mode="tensor"``, in
            eval mode.
        divisor: The grid on which tiles begin, in pixels; the network's largest stride.

    Returns:
        The halo, rounded up to a multiple of ``divisor``; None where the network sees an image of
        2048 pixels from edge to edge, by global pooling or attention for instance.
    """
    model = _without_max_pools(copy.deepcopy(model).to("cpu", torch.float64).eval())
    for module in model.modules():
        _make_positive(module)
    side = _FIRST_SIDE
    while side <= _LARGEST_SIDE:
        # Rows and columns are alike to a network of square kernels, but not to every network.
        strips = [(side, 4 * divisor), (4 * divisor, side)]
        reaches = [_reach(model, strip, axis, divisor) for axis, strip in enumerate(strips)]
        if None not in reaches:
            return -(-max(reaches) // divisor) * divisor
        side *= 2
    return None


def _without_max_pools(model: nn.Module) -> nn.Module:
    """Replace them by average pools, whose gradient reaches every pixel under them."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.MaxPool2d):
                pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(parent, name, pool)
    return model


def _make_positive(module: nn.Module) -> None:
    with torch.no_grad():
        if isinstance(module, _BatchNorm):
            # With these statistics a norm in eval mode is the identity.
            module.running_mean.zero_()
            module.running_var.fill_(1)
            if module.affine:
                module.weight.fill_(1)
                module.bias.zero_()
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            # Weights that sum to one keep deep activations near one.
            module.weight.fill_(1 / module.weight[0].numel())
            if module.bias is not None:
                module.bias.zero_()


def _reach(model: nn.Module, size: tuple[int, int], axis: int, divisor: int) -> int | None:
    """Return how far a cell in the middle sees along ``axis``; None if as far as the edge."""
    image = torch.ones(1, 3, *size, dtype=torch.float64, requires_grad=True)
    first = size[axis] // 2 // divisor * divisor
    cell = [slice(None)] * 4
    cell[2 + axis] = slice(first, first + divisor)
    logits: Tensor = model(image, mode="tensor")
    logits[tuple(cell)].sum().backward()
    seen = image.grad[0].abs().sum(dim=(0, 2 - axis)).nonzero().flatten()
    low, high = int(seen.min()), int(seen.max())
    if low == 0 or high == size[axis] - 1:
        return None
    return max(first - low, high - (first + divisor - 1))
