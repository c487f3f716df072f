"""The memory layout that networks train fastest in."""

from __future__ import annotations

import torch
from torch import nn

from lwam_mm.models.reparam.point_conv import PointConv2d
from lwam_mm.models.reparam.rep_conv import RepConv

_TRIED = {"torch", "mmengine", "mmcv", "mmseg", "mmrazor", "lwam_mm"}


def lay_out_channels_last(model: nn.Module) -> bool:
    """Make a model compute in the channels-last layout, if it can.

    A convolution whose weights have this layout converts its input, so the model's input may have
    any. Results are the same up to rounding, and checkpoints are the same. It is faster on CPUs
    and, in mixed precision, on GPUs. RepConv blocks then fuse their branches where they can.

    Args:
        model: Any model; it is changed in place.

    Returns:
        Whether it was. It was not if the model has modules of packages that were not tried, as
        some need the usual layout (``x.view(-1)`` fails without it); nor if it has strided 1x1
        convolutions of torch, whose backward pass corrupts memory in this layout on CPUs with torch
        2.13 (see :class:`~lwam_mm.models.reparam.point_conv.PointConv2d`).
    """
    for module in model.modules():
        package = type(module).__module__.partition(".")[0]
        if package not in _TRIED or _is_strided_point(module):
            return False
    model.to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, RepConv):
            module.fuses_branches = True
    return True


def _is_strided_point(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and not isinstance(module, PointConv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
    )
