"""Sums over the joint batch of all processes, for losses that are no mean over images."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

_BATCH = 0  # the axis that processes share among them


def over_processes(x: Tensor) -> Tensor:
    """Sum what each process has; with one process, ``x`` itself.

    A training in several processes averages their gradients. A loss that is a mean over equally
    many pixels or images in each gets along with that. One that divides by what is labelled, or
    multiplies sums over the batch, is made of these sums: every process then has the loss of the
    joint batch, and the average of the gradients is that loss's.

    All processes have to call this, equally often, with tensors of one shape.

    Args:
        x: a sum over this process's share of the batch, of any shape. It must not come from
            another such sum, unless detached: every process has the gradient of its share alone.

    Returns:
        The sum over the batch; its gradient is that of ``x`` times the number of processes, which
        the average divides by.
    """
    processes = get_world_size()
    if processes == 1:
        return x
    total = x.detach().clone()
    all_reduce(total)
    return total + processes * (x - x.detach())


def joint_sum(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Sum over axes; where the batch is among them, over that of all processes."""
    total = x.sum(dims)
    return over_processes(total) if _BATCH in dims else total


def joint_centred(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Subtract the mean over axes, for a correlation over them; as for :func:`joint_sum`.

    Over several processes the mean is a constant: a correlation's gradient with respect to it is 0
    over the joint batch, but not over a share of it. What rounding leaves of the mean would spoil
    the gradient where ``x`` is almost constant, so it is subtracted once more.
    """
    if get_world_size() == 1 or _BATCH not in dims:
        return x - x.mean(dims, keepdim=True)
    for _ in range(2):
        total = x.detach().sum(dims, keepdim=True)
        count = total.new_tensor(x.numel() / total.numel())
        x = x - over_processes(total) / over_processes(count)
    return x


def joint_norm(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Take the Euclidean norm over axes; as for :func:`joint_sum`.

    From the squares, since ``vector_norm`` over channels takes a hundred times as long on
    processors.
    """
    squares = joint_sum(x.square(), dims)
    # A root of 0 would have no gradient.
    return squares.clamp_min(torch.finfo(x.dtype).tiny).sqrt()
