"""The input sizes that both networks accept."""

from __future__ import annotations

import torch
from torch import Tensor

STRIDE = 16
"""Both networks halve the size of their input four times and double it four times."""


def require_multiple_of_stride(x: Tensor) -> None:
    """Refuse an input whose logits would have another size.

    Args:
        x: Images, (N, C, H, W).

    Raises:
        ValueError: H or W is not a positive multiple of 16.
    """
    if torch.jit.is_tracing():
        return  # a traced size is no number, and the exporter chose it
    height, width = x.shape[-2:]
    if height < STRIDE or width < STRIDE or height % STRIDE or width % STRIDE:
        raise ValueError(
            f"the input is {height}x{width} pixels (height x width), but both must be multiples "
            f"of {STRIDE}: pad it, in a config by data_preprocessor=dict(size_divisor={STRIDE}, "
            f"test_cfg=dict(size_divisor={STRIDE}))"
        )
