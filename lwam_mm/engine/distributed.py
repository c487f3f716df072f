"""Decisions that all processes of a training have to make alike."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce


def any_process(flag: bool) -> bool:
    """Return whether ``flag`` is true in at least one process. All processes must call this."""
    flags = torch.tensor(int(flag))
    all_reduce(flags, op="max")
    return bool(flags)
