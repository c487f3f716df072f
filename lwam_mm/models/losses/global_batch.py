"""Sums over the global batch, that of all processes, for losses that are no mean over images."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

_BATCH = 0  # the axis that is split over the processes


def sum_over_processes(x: Tensor) -> Tensor:
    """Sum the values of all processes; with one process, return ``x`` itself.

    Training with several processes averages their gradients. That is right for a loss that is a
    mean over equally many pixels or images in each process. A loss that divides by the number of
    labelled pixels, or multiplies sums over the batch, has to be computed from these sums: every
    process then has the loss of the global batch, and the averaged gradient is its gradient.

    All processes must call this equally often, with tensors of one shape.

    Args:
        x: A sum over this process's share of the batch, of any shape. It must not be computed
            from another such sum, unless detached, because every process has the gradient of
            its share alone.

    Returns:
        The sum over the global batch. Its gradient is that of ``x`` times the number of processes,
        which averaging divides by.
    """
    processes = get_world_size()
    if processes == 1:
        return x
    total = x.detach().clone()
    all_reduce(total)
    return total + processes * (x - x.detach())


def global_sum(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Sum over axes; if the batch is among them, over the global batch."""
    total = x.sum(dims)
    return sum_over_processes(total) if _BATCH in dims else total


def global_centred(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Subtract the mean over axes, for a correlation along them; see :func:`global_sum`.

    With several processes the mean is a constant: the gradient of a correlation with respect to
    it is 0 over the global batch, but not over a share of it. What rounding leaves of the mean
    would spoil the gradient where ``x`` is almost constant, so the mean is subtracted twice.
    """
    if get_world_size() == 1 or _BATCH not in dims:
        return x - x.mean(dims, keepdim=True)
    for _ in range(2):
        total = x.detach().sum(dims, keepdim=True)
        count = total.new_tensor(x.numel() / total.numel())
        x = x - sum_over_processes(total) / sum_over_processes(count)
    return x


def global_norm(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Return the Euclidean norm over axes; see :func:`global_sum`.

    It is computed from the squares: ``vector_norm`` over channels takes a hundred times as long
    on CPUs.
    """
    squares = global_sum(x.square(), dims)
    # The root of 0 has no gradient.
    return squares.clamp_min(torch.finfo(x.dtype).tiny).sqrt()
